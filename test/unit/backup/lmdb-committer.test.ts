import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Committer } from '../../../src/backup/lmdb/committer.js';
import type { Room } from '../../../src/backup/lmdb/room.js';
import type { Tree } from '../../../src/backup/lmdb/tree.js';
import { isBackupFileError } from '../../../src/backup/lmdb.js';
import { rejectionOf } from '../support/thrown.js';

const inputOutputError = Object.assign(new Error('Input/output error'), { code: 5 });
const noSpaceError = Object.assign(new Error('No space left on device'), { code: 28 });

/** A disk that can be made to fail, which no real one can be. What is committed is in `kept`. */
function makeDisk() {
  const disk = {
    kept: [] as string[],
    drafts: [] as string[],
    transactions: 0,
    /** What the next commit fails with. */
    failure: undefined as Error | undefined,
    isFull: false,
    isUsable: true,
    looksForDead: 0,
  };
  const tree: Partial<Tree> = {
    async transaction(work) {
      disk.transactions += 1;
      disk.drafts = [];
      await new Promise(setImmediate);
      work();
      await new Promise(setImmediate);
      const { failure } = disk;
      disk.failure = undefined;
      if (failure) throw failure;
      disk.kept.push(...disk.drafts);
    },
    isUsable: () => disk.isUsable,
    forgetDeadReaders() {
      disk.looksForDead += 1;
      throw new Error('No');
    },
  };
  const room: Partial<Room> = { isDiskFull: () => disk.isFull };
  const committer = new Committer(tree as Tree, room as Room);
  const write = (name: string) =>
    committer.commit(() => {
      disk.drafts.push(name);
      return name;
    });
  return { disk, committer, write };
}

describe('changes that come together', () => {
  it('share a transaction, also those that come while it waits for its turn', async () => {
    const { disk, write } = makeDisk();
    const first = [write('a'), write('b')];
    await undefined;
    await undefined;
    const second = write('c');
    expect(await Promise.all([...first, second])).toEqual(['a', 'b', 'c']);
    expect(disk).toMatchObject({ transactions: 1, kept: ['a', 'b', 'c'] });
  });

  it('are not told before it is committed', async () => {
    const { disk, write } = makeDisk();
    let told = false;
    const written = write('a').then(() => {
      told = true;
    });
    while (disk.drafts.length === 0) await new Promise(setImmediate);
    expect(told).toBe(disk.kept.includes('a'));
    await written;
    expect(disk.kept).toEqual(['a']);
  });

  it('do not fail for the sake of one that throws, and are made once', async () => {
    const { disk, committer, write } = makeDisk();
    const before = write('a');
    const bad = committer.commit(() => {
      disk.drafts.push('half of it');
      throw new Error('No');
    });
    const after = write('b');
    expect(await rejectionOf(bad)).toMatchObject({ message: 'No' });
    expect(await Promise.all([before, after])).toEqual(['a', 'b']);
    expect(disk.kept).toEqual(['a', 'b']);
  });

  it('are tried alone when together they do not fit', async () => {
    const { disk, write } = makeDisk();
    disk.isFull = true;
    disk.failure = noSpaceError;
    expect(await Promise.all([write('a'), write('b')])).toEqual(['a', 'b']);
    expect(disk.kept).toEqual(['a', 'b']);
  });
});

describe('a commit that fails', () => {
  it.each([
    ['ENOSPC', noSpaceError],
    ['EIO on a full disk', inputOutputError],
  ])('for want of room is told so, and the next one is made: %s', async (_, failure) => {
    const { disk, write } = makeDisk();
    disk.isFull = true;
    disk.failure = failure;
    expect(await rejectionOf(write('a'))).toMatchObject({ code: 'BACKUP_FULL', fate: 'not-delivered' });
    expect(await write('b')).toBe('b');
  });

  it('otherwise leaves the fate unknown, and nothing is written any more', async () => {
    const { disk, write } = makeDisk();
    disk.failure = inputOutputError;
    const together = await Promise.all([rejectionOf(write('a')), rejectionOf(write('b'))]);
    for (const error of together) {
      expect(isBackupFileError(error)).toBe(true);
      expect(error).toMatchObject({ code: 'BACKUP_FAILED', fate: 'unknown', cause: inputOutputError });
    }
    expect(await rejectionOf(write('c'))).toMatchObject({ code: 'BACKUP_FAILED', fate: 'not-delivered' });
    expect(disk).toMatchObject({ transactions: 1, kept: [] });
  });

  it('is final when LMDB does not recover, though the disk was only full', async () => {
    const { disk, write } = makeDisk();
    disk.isFull = true;
    disk.isUsable = false;
    disk.failure = noSpaceError;
    expect(await rejectionOf(write('a'))).toMatchObject({ code: 'BACKUP_FAILED', fate: 'unknown' });
    expect(await rejectionOf(write('b'))).toMatchObject({ code: 'BACKUP_FAILED' });
    expect(disk.transactions).toBe(1);
  });
});

describe('readers that died', () => {
  it('are looked for every half minute, and do not keep a change from being made when that fails', async () => {
    const { disk, write } = makeDisk();
    await write('a');
    expect(disk.looksForDead).toBe(0);
    const later = performance.now() + 31_000;
    vi.spyOn(performance, 'now').mockImplementation(() => later);
    onTestFinished(() => void vi.restoreAllMocks());
    await write('b');
    await write('c');
    expect(disk).toMatchObject({ looksForDead: 1, kept: ['a', 'b', 'c'] });
  });
});

describe('settled', () => {
  it('waits for what is in line, failures included', async () => {
    const { disk, committer, write } = makeDisk();
    const writes = ['a', 'b', 'c'].map(write);
    const bad = rejectionOf(
      committer.commit(() => {
        throw new Error('No');
      }),
    );
    await committer.settled();
    expect(disk.kept).toEqual(['a', 'b', 'c']);
    await Promise.all([...writes, bad]);
  });
});
