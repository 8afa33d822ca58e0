/** Tells whoever waits where the run is; results go to stdout, this does not. */
export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}
