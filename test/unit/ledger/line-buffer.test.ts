import { expect, it } from 'vitest';
import { LineBuffer } from '../../../src/ledger/line-buffer.js';
import { waitFor } from '../../support/wait-for.js';

/** A disk that has room for so many bytes. */
class SmallDisk {
  text = '';
  room: number;
  writes = 0;

  constructor(room: number) {
    this.room = room;
  }

  async append(lines: Buffer): Promise<number> {
    this.writes += 1;
    if (this.room === 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const written = Math.min(this.room, lines.length);
    this.text += lines.subarray(0, written).toString();
    this.room -= written;
    return written;
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

function open(disk: SmallDisk, maxBufferedBytes = 1_000_000) {
  const errors: Error[] = [];
  const onError = (error: Error) => errors.push(error);
  const buffer = new LineBuffer(disk, { maxBufferedBytes, onError }, (count) => `missing ${count}\n`);
  return { buffer, errors };
}

it('writes what comes together in one write', async () => {
  const disk = new SmallDisk(1e6);
  const { buffer } = open(disk);
  for (let n = 0; n < 1000; n++) buffer.add(`line ${n}\n`);
  expect(await buffer.close('end\n')).toEqual({ lines: 1000, missing: 0 });
  expect(disk.writes).toBe(2);
});

it('goes on with the line that was cut when there is room again', async () => {
  const disk = new SmallDisk(15);
  const { buffer, errors } = open(disk);
  for (const line of ['first\n', 'second\n', 'third\n']) buffer.add(line);
  await waitFor(() => errors.length > 0, { what: 'the disk to be full' });
  expect(disk.text).toBe('first\nsecond\nth');
  disk.room = 1e6;
  expect(await buffer.close('end\n')).toEqual({ lines: 3, missing: 0 });
  expect(disk.text).toBe('first\nsecond\nththird\nend\n');
});

it('writes down how many lines found no room in memory', async () => {
  const disk = new SmallDisk(0);
  const { buffer, errors } = open(disk, 20);
  for (let n = 0; n < 10; n++) buffer.add('12345\n');
  await waitFor(() => errors.length > 0, { what: 'the disk to be full' });
  disk.room = 1e6;
  expect(await buffer.close('end\n')).toEqual({ lines: 3, missing: 7 });
  expect(disk.text).toBe('12345\n12345\n12345\nmissing 7\nend\n');
  expect(errors).toHaveLength(1);
});
