/** `1,003`: of jobs there may be millions. */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}
