/** A reply that has to be a list. */
export function listOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new Error(
    'Redis answered something else than was asked for: the client has lost step with its connection.',
  );
}
