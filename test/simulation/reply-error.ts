/** An error that a server replied with: its message is the wire text, as the clients keep it. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}
