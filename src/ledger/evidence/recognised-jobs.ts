import { isDeliveryId, parseDeliveryId } from '../../recognition/delivery-id.js';
import { readHolders } from '../../recognition/holders.js';
import { queueKeys } from '../../recognition/queue-keys.js';
import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';
import { batches } from './batches.js';
import type { Inquiry } from './evidence.js';
import { listOf } from './list-of.js';
import { missing } from './missing.js';

/** Bits that one number of a reply has, and numbers in a reply. */
const WORD = 32;
const WORDS = 512;
const COMMANDS = 16;

/** Marks the jobs that are not found yet, and that recognition knows to have been laid down: by their bit, or by the marker of their id. */
export async function lookForRecognition(inquiry: Inquiry): Promise<void> {
  for (const epoch of inquiry.book.epochs.keys()) await lookForBits(inquiry, epoch);
  for (const batch of batches(missing(inquiry.book.callersJobs()))) await lookForMarkers(inquiry, batch);
}

async function lookForBits(inquiry: Inquiry, epoch: string): Promise<void> {
  const { connection, queue, book, deliveriesSince } = inquiry;
  const words = new Set<number>();
  for (const { index } of missing(book.jobsOf(epoch))) words.add(Math.floor(index / WORD));
  const key = queueKeys(queue).seen(epoch);
  const bits = new Map<number, number>();
  for (const group of batches(batches(words, WORDS), COMMANDS)) {
    await Promise.all(
      group.map(async (some) => {
        const gets = some.flatMap((word) => ['GET', `u${WORD}`, String(word * WORD)]);
        const values = listOf(await connection.send(['BITFIELD', key, ...gets], key));
        for (const [at, word] of some.entries()) bits.set(word, Number(values[at]));
      }),
    );
  }
  for (const { page, index } of missing(book.jobsOf(epoch))) {
    // The first bit of a word is its highest.
    const bit = ((bits.get(Math.floor(index / WORD)) ?? 0) >>> (WORD - 1 - (index % WORD))) & 1;
    if (bit === 1) page.set(index, KNOWN.delivered);
    // The bitmap is swept when nobody has used it for so long. A job that waited in a backup meanwhile begins it anew.
    else if (page.acceptedAt(index) < deliveriesSince) page.set(index, KNOWN.forgettable);
  }
}

async function lookForMarkers(inquiry: Inquiry, jobs: readonly BookedJob[]): Promise<void> {
  const { connection, queue, book, deliveriesSince, callersSince, callerMs, evicted } = inquiry;
  const keys = queueKeys(queue);
  const ids = jobs.map(({ id }) => id);
  const holders = await readHolders(connection, keys, ids);
  // To a user who may not GET it says of none that there is one: this rejects then.
  const unheld = ids.find((_, i) => holders[i] === '');
  if (unheld !== undefined) await connection.send(['GET', keys.marker(unheld)], keys.marker(unheld));
  await Promise.all(
    jobs.map(async (job, i) => {
      const { page, index } = job;
      const holder = holders[i] ?? '';
      const since = book.knownSince(job, callerMs);
      if (holder === '') {
        if (since < callersSince) page.set(index, KNOWN.forgettable);
        // Unlike a bit, a marker has an expiry: the first that is evicted.
        else if (evicted !== 'nothing') page.set(index, KNOWN.evictable);
      } else if (isDeliveryId(holder)) {
        // The marker is written before the job: alone it proves nothing.
        const { epoch, seq } = parseDeliveryId(holder);
        const key = keys.seen(epoch);
        const [bit] = listOf(await connection.send(['BITFIELD', key, 'GET', 'u1', String(seq)], key));
        if (Number(bit) === 1) page.set(index, KNOWN.delivered);
        // With windows of your own a marker may outlive its bit.
        else if (since < deliveriesSince) page.set(index, KNOWN.forgettable);
      }
    }),
  );
}
