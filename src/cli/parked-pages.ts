import type { BackupAdmin, BackupStore, ParkedJob } from '../backup/backup-store.js';
import type { ParkReason } from '../replay/triage.js';

/** Jobs in memory at once: each may have a payload of a megabyte. The LMDB store makes so many changes in one flush. */
const PAGE = 64;

/** A store that people can look into. */
export type AdminStore = BackupStore & { readonly admin: BackupAdmin };

/** What a parked job's reason begins with; what is damaged the store says itself. */
export type ReasonWord = ParkReason | 'damaged';

/** Which parked jobs are asked for; undefined: whichever. */
export interface Selection {
  readonly ids: readonly string[] | undefined;
  readonly reasons: readonly string[] | undefined;
}

/** The word before what Redis, or the schema, said. */
export function wordOf({ reason }: ParkedJob): string {
  return reason.split(':', 1)[0] as string;
}

/**
 * The parked jobs of a queue that are asked for, in the store's order, page by page. It looks at no more jobs than were parked when
 * it began: those that it lets go and that are parked again would otherwise come for ever.
 */
export async function* parkedPages(
  store: AdminStore,
  queue: string,
  { ids, reasons }: Selection,
): AsyncGenerator<readonly ParkedJob[]> {
  const wanted = ids && new Set(ids);
  let cursor: string | undefined;
  let { parked: left } = await store.stats(queue);
  while (left > 0 && wanted?.size !== 0) {
    const page = await store.admin.list(queue, 'parked', { limit: Math.min(PAGE, left), cursor });
    yield (page.jobs as readonly ParkedJob[]).filter(
      (one) => (!reasons || reasons.includes(wordOf(one))) && (!wanted || wanted.delete(one.job.id)),
    );
    left -= page.jobs.length;
    cursor = page.cursor;
    if (cursor === undefined) return;
    // A look at a million jobs must not keep one snapshot of the store: its file would grow.
    await new Promise(setImmediate);
  }
}
