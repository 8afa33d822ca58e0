import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findRedisServer } from '../../../scripts/find-redis-server.js';
import type { DoctorReport } from '../../../src/doctor/index.js';
import { inNetworkOfItsOwn, noNamespaces } from '../../support/network-namespace.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const doctor = '"$NODE" "$TSX" "$MAIN" doctor --json';
const env = {
  NODE: process.execPath,
  TSX: join(root, 'node_modules/tsx/dist/cli.mjs'),
  MAIN: join(root, 'src/cli/main.ts'),
  NO_COLOR: '1',
};

/** What the doctor finds when it is called by a script in a network of its own. */
async function examineBy(script: string, more: Readonly<Record<string, string>> = {}) {
  const { code, out, err } = await inNetworkOfItsOwn(script, { ...env, ...more });
  if (out === '') throw new Error(`The script printed nothing: ${err}`);
  const report = JSON.parse(out) as DoctorReport;
  const bad = report.checks.filter(({ verdict }) => verdict === 'fail');
  return { code, report, found: bad.map(({ id, cause }) => [id, cause]) };
}

const reason = noNamespaces();

describe.skipIf(reason !== undefined)(`the doctor names${reason ? ` (skipped: ${reason})` : ''}`, () => {
  it('an address that no route leads to', async () => {
    const { code, found } = await examineBy(`${doctor} 192.0.2.1:6379`);
    expect({ code, found }).toEqual({ code: 1, found: [['connection.tcp', 'unreachable']] });
  });

  it('an address whose router says that it is not there', async () => {
    const { found } = await examineBy(`ip route add unreachable 192.0.2.0/24\n${doctor} 192.0.2.1:6379`);
    expect(found).toEqual([['connection.tcp', 'unreachable']]);
  });

  it('a name server that is silent, and waits no longer for it than told', async () => {
    const file = join(temporaryFolder(), 'resolv.conf');
    writeFileSync(file, 'nameserver 127.0.0.1\noptions timeout:10 attempts:1\n');
    const silent = `require('node:dgram').createSocket('udp4').bind(53, '127.0.0.1', () => console.error('bound'))`;
    const script = `
      mount --bind "$RESOLV" /etc/resolv.conf
      mkfifo "$RESOLV.bound"
      "$NODE" -e "$SILENT" 2> "$RESOLV.bound" &
      read bound < "$RESOLV.bound"
      ${doctor} --timeout 500 redis.example:6379`;
    const { found, report } = await examineBy(script, { RESOLV: file, SILENT: silent });
    expect(found).toEqual([['connection.dns', 'name-server-silent']]);
    expect(report.durationMs).toBeLessThan(8000);
  });

  it('a Redis in protected mode, which takes nobody from elsewhere', async () => {
    // Before Redis 7 only where it is not told where to listen.
    const script = `
      ip addr add 10.1.1.1/32 dev lo
      "$REDIS" --port 6379 --protected-mode yes --save '' --dir "$FOLDER" > "$FOLDER/log" &
      until grep -qi 'ready to accept connections' "$FOLDER/log"; do sleep 0.05; done
      ${doctor} 10.1.1.1:6379`;
    const { code, found } = await examineBy(script, {
      ...{ REDIS: await findRedisServer(), FOLDER: temporaryFolder() },
    });
    expect({ code, found }).toEqual({ code: 1, found: [['connection.first-command', 'protected-mode']] });
  });
});
