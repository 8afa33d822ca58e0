import { EventEmitter } from 'node:events';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  NoClientError,
  type OpenClient,
  openIoredis,
  openNodeRedis,
} from '../../../src/doctor/open-client.js';
import { parseTarget } from '../../../src/doctor/target.js';
import { makeCertificate } from '../../support/certificate.js';
import { startRedis } from '../../support/doctor.js';
import { freePort } from '../../support/free-port.js';

const kinds: readonly { readonly name: string; readonly open: OpenClient }[] = [
  { name: 'ioredis 6', open: openIoredis(Redis) },
  { name: 'ioredis 5', open: openIoredis(Redis5 as unknown as typeof Redis) },
  { name: 'node-redis 6', open: openNodeRedis(createClient) },
  { name: 'node-redis 5', open: openNodeRedis(createClient5 as unknown as typeof createClient) },
];

describe.each(kinds)("the doctor's own connection, of $name", ({ name, open }) => {
  it('needs no rights but those of the commands that are sent', async () => {
    const server = await startRedis();
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '-@all', '+get');
    const connection = await open(parseTarget(`redis://app:secret@127.0.0.1:${server.port}`), 1000);
    onTestFinished(() => connection.destroy());
    expect(await connection.send(['GET', 'a'], 'a')).toBe(null);
    await expect(connection.send(['INFO'], '')).rejects.toThrow('NOPERM');
    // INFO alone was denied: nothing else was sent that nobody had asked for.
    expect(await server.command('ACL', 'LOG')).toHaveLength(1);
  });

  it('goes to the database, and speaks TLS, as asked for', async () => {
    const { cert, key, ca } = makeCertificate();
    const port = await freePort();
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
    await startRedis({ args: ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files] });
    const connection = await open(parseTarget({ host: 'localhost', port, db: 3, tls: { ca } }), 1000);
    onTestFinished(() => connection.destroy());
    expect(String(await connection.send(['CLIENT', 'LIST'], ''))).toMatch(/ db=3 /);
  });

  it('waits no longer than told for a server that hangs', async () => {
    const server = await startRedis({ args: ['--requirepass', 'secret'] });
    server.pause();
    const startedAt = performance.now();
    const opened = open(parseTarget(`redis://:secret@127.0.0.1:${server.port}/1`), 300);
    // One that waits for no answer is as well.
    await opened.then(
      (connection) => connection.destroy(),
      () => {},
    );
    expect(performance.now() - startedAt).toBeLessThan(3000);
    server.resume();
  });

  it('rejects when nobody is there, says so, and tries no second time', async () => {
    await expect(open(parseTarget({ port: await freePort() }), 500)).rejects.toThrow('ECONNREFUSED');
  });

  it("rejects with Redis's own words when it refuses the password", async () => {
    const server = await startRedis({ args: ['--requirepass', 'secret'] });
    const wrong = parseTarget(`redis://:wrong@127.0.0.1:${server.port}`);
    const answered = open(wrong, 1000).then((connection) => {
      onTestFinished(() => connection.destroy());
      return connection.send(['GET', 'a'], 'a');
    });
    // ioredis 5 may not wait for the answer to AUTH: then its first command is refused.
    await expect(answered).rejects.toThrow(name === 'ioredis 5' ? /^(?:WRONGPASS|NOAUTH)/ : /^WRONGPASS/);
  });
});

it('is of no client that the library does not know: that is said, instead of that Redis closed it', async () => {
  const open = openIoredis(EventEmitter as unknown as typeof Redis);
  await expect(open(parseTarget({ port: 1 }), 500)).rejects.toThrow(NoClientError);
});
