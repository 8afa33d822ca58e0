import { RespConnection, sendCommand } from './resp-connection.js';

export interface StreamEntry {
  /** The entry's id in the stream; the job's is the field `id`. */
  readonly id: string;
  readonly fields: Record<string, string>;
}

const PAGE = 5_000;

/** Every entry of a stream, in its order; none if there is no such key. */
export async function readStream(server: { readonly port: number }, key: string): Promise<StreamEntry[]> {
  await sendCommand({ port: server.port, timeoutMs: 30_000 }, 'PING'); // waits while a restarted server is LOADING
  const connection = new RespConnection({ port: server.port, timeoutMs: 30_000 });
  const entries: StreamEntry[] = [];
  try {
    let from = '-';
    for (;;) {
      const reply = await connection.send('XRANGE', key, from, '+', 'COUNT', String(PAGE));
      const page = reply as [string, string[]][];
      for (const [id, flat] of page) entries.push({ id, fields: toFields(flat) });
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return entries;
      from = idAfter(last[0]);
    }
  } finally {
    connection.close();
  }
}

/** Counted up by hand: exclusive ranges came with Redis 6.2 only. */
function idAfter(id: string): string {
  const [ms, sequence = '0'] = id.split('-');
  return `${ms}-${BigInt(sequence) + 1n}`;
}

function toFields(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i] as string] = flat[i + 1] as string;
  return fields;
}
