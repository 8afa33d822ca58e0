import { crc32 } from 'node:zlib';

const SEAL_BYTES = 4;

/** A small row with a checksum before it. `key` goes into the sum: a row under another's key is damaged, too. */
export function seal(key: Buffer, content: Buffer): Buffer {
  const row = Buffer.allocUnsafe(SEAL_BYTES + content.length);
  content.copy(row, SEAL_BYTES);
  row.writeUInt32LE(crc32(content, crc32(key)), 0);
  return row;
}

/** The content of a sealed row; undefined when it is damaged. */
export function unseal(key: Buffer, row: Buffer): Buffer | undefined {
  if (row.length < SEAL_BYTES) return undefined;
  const content = row.subarray(SEAL_BYTES);
  return crc32(content, crc32(key)) === row.readUInt32LE(0) ? content : undefined;
}
