import { join } from 'node:path';
import { fillBacklog } from '../contestants/backlog.js';
import { openStore, type StoreKind } from './store-kind.js';

export interface FillOrder {
  readonly store: StoreKind;
  /** Each backlog has a folder in it. */
  readonly path: string;
  readonly queue: string;
  /** Jobs in each. */
  readonly jobs: number;
  readonly backlogs: number;
  readonly port: number;
}

/** The folder of the n-th backlog. */
export const folderOf = ({ path }: FillOrder, n: number) => join(path, String(n));

/** Leaves backlogs on the disk, as a process does that ends during an outage. */
export async function run(order: FillOrder): Promise<void> {
  const { store, queue, jobs, backlogs, port } = order;
  for (let n = 0; n < backlogs; n++) {
    const letGo = await fillBacklog(await openStore(store, folderOf(order, n)), queue, jobs, port);
    await letGo();
  }
}
