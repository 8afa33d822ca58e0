import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { readStream } from '../../support/stream.js';

it('reads every entry in order, over many pages', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  expect(await readStream(server, 'none')).toEqual([]);
  const fill = `for i = 1, tonumber(ARGV[1]) do
    redis.call('XADD', KEYS[1], '7-' .. i, 'id', 'job-' .. i, 'payload', string.rep('x', 100), 'empty', '')
  end`;
  // 5000 ends exactly with a page.
  for (const [key, length] of [
    ['one', 1],
    ['page', 5_000],
    ['many', 22_345],
  ] as const) {
    await server.command('EVAL', fill, '1', key, String(length));
    const entries = await readStream(server, key);
    expect(entries).toHaveLength(length);
    expect(entries.every((entry, i) => entry.id === `7-${i + 1}` && entry.fields.id === `job-${i + 1}`)).toBe(
      true,
    );
    expect(entries[0]?.fields).toEqual({ id: 'job-1', payload: 'x'.repeat(100), empty: '' });
  }
});

it('rejects a key that is no stream', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await server.command('SET', 'text', 'x');
  await expect(readStream(server, 'text')).rejects.toThrow('WRONGTYPE');
});
