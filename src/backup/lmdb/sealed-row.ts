import { crc32 } from 'node:zlib';

/** Bytes of the checksum that a sealed row ends with. */
export const SEAL_BYTES = 4;

/** A small row with a checksum. `key` goes into the sum: a row under another's key is damaged, too. */
export function seal(key: Buffer, content: Buffer): Buffer {
  const row = Buffer.allocUnsafe(content.length + SEAL_BYTES);
  content.copy(row);
  row.writeUInt32LE(crc32(content, crc32(key)), content.length);
  return row;
}

/** Seals in place what is a key, the content and room for the checksum, one after the other. */
export function sealEntry(entry: Buffer): void {
  const end = entry.length - SEAL_BYTES;
  entry.writeUInt32LE(crc32(entry.subarray(0, end)), end);
}

/** Seals in place what is the content and room for the checksum. */
export function sealInPlace(key: Buffer, row: Buffer): void {
  const end = row.length - SEAL_BYTES;
  row.writeUInt32LE(crc32(row.subarray(0, end), crc32(key)), end);
}

/** The content of a sealed row; undefined when it is damaged. */
export function unseal(key: Buffer, row: Buffer): Buffer | undefined {
  const end = row.length - SEAL_BYTES;
  if (end < 0) return undefined;
  const content = row.subarray(0, end);
  return crc32(content, crc32(key)) === row.readUInt32LE(end) ? content : undefined;
}
