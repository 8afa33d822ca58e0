import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Committer } from './committer.js';
import type { HandedOut } from './hand-out.js';
import { inspectFile } from './inspect-file.js';
import { DATA_FILE, makeFilesPrivate, prepareFolder } from './lmdb-folder.js';
import { Room } from './room.js';
import { storeError } from './store-error.js';
import { checkFormat, checkMarker } from './store-format.js';
import { Tree } from './tree.js';

/** One folder's backup, open; whatever number of stores in this process use it. */
export interface OpenBackup {
  readonly folder: string;
  readonly tree: Tree;
  readonly committer: Committer;
  readonly room: Room;
  /** By token. */
  readonly leases: Map<string, HandedOut>;
}

interface Shared extends OpenBackup {
  readonly owner: object;
  users: number;
}

/** This copy of the library: there are two where a process both imports and requires it. */
const owner = {};

// LMDB must not be opened twice in a process, by whichever copy.
const registryKey = Symbol.for('@morningai/resilient-queue/lmdb-backups');
const everywhere = globalThis as { [registryKey]?: Map<string, Shared> };
const registry = everywhere[registryKey] ?? new Map<string, Shared>();
everywhere[registryKey] = registry;

/** Opens the backup in the folder at `path`, or joins who has it open. Throws where it cannot be used. */
export function openBackup(path: string): OpenBackup {
  const folder = prepareFolder(path);
  const key = identityOf(folder);
  const present = registry.get(key);
  if (present) {
    if (present.owner !== owner) {
      throw new Error(
        `The backup in ${folder} is already open in this process, through another copy of @morningai/resilient-queue. Use one copy: either import or require.`,
      );
    }
    present.users += 1;
    return present;
  }
  checkMarker(folder);
  makeFilesPrivate(folder);
  const data = join(folder, DATA_FILE);
  if (statSync(data).size > 0) inspectFile(data);
  const tree = openTree(folder);
  const room = new Room(tree, data);
  const shared = {
    folder,
    tree,
    committer: new Committer(tree, room),
    room,
    leases: new Map(),
    owner,
    users: 1,
  };
  registry.set(key, shared);
  return shared;
}

/** The last one who leaves closes it, after what is under way. */
export async function leaveBackup(backup: OpenBackup): Promise<void> {
  await backup.committer.settled();
  const shared = backup as Shared;
  shared.users -= 1;
  if (shared.users > 0) return;
  for (const [key, open] of registry) if (open === shared) registry.delete(key);
  await backup.tree.close();
  backup.room.close();
}

function openTree(folder: string): Tree {
  try {
    const tree = new Tree(folder);
    try {
      checkFormat(tree, folder);
      return tree;
    } catch (error) {
      // What lmdb throws when it has tried for ten seconds to become a reader.
      const isTaken = error instanceof TypeError && tree.isProcessIdTaken();
      void tree.close();
      if (!isTaken) throw error;
      throw new Error(
        `The backup in ${folder} is open in another container, by a process with the same id as this one, ${process.pid}: LMDB cannot tell them apart. Give each container a folder of its own, or let them share their process ids.`,
        { cause: error },
      );
    }
  } catch (error) {
    throw storeError(error);
  }
}

function identityOf(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  return `${dev}:${ino}`;
}
