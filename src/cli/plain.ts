/** Without what moves a terminal's cursor, colours it or ends a line: ids and names come from anywhere. As JSON it says the same. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
