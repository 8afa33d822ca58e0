/** Commands that are on their way at once. */
const AT_ONCE = 256;

/** `things`, so many at a time. */
export function* batches<T>(things: Iterable<T>, size = AT_ONCE): Generator<T[]> {
  let batch: T[] = [];
  for (const thing of things) {
    batch.push(thing);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
