import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../support/outage-run.js';
import { RespConnection } from '../support/resp-connection.js';
import { waitFor } from '../support/wait-for.js';

const serverFaults: readonly Fault[] = [
  {
    name: 'kill -9 and restart',
    isOneOutage: true,
    lastsMs: 1800,
    async begin({ server }) {
      await server.kill();
      return () => server.restart();
    },
  },
  {
    name: 'SIGSTOP for 4 s, and what was sent is executed late',
    isOneOutage: true,
    leavesUnknown: true,
    lastsMs: 4000,
    async begin({ server }) {
      server.pause();
      return () => server.resume();
    },
  },
  {
    name: 'READONLY',
    isOneOutage: true,
    lastsMs: 2000,
    async begin({ server }) {
      await server.command('REPLICAOF', '127.0.0.1', '1');
      return () => server.command('REPLICAOF', 'NO', 'ONE');
    },
  },
  {
    name: 'OOM',
    isOneOutage: true,
    lastsMs: 2000,
    async begin({ server }) {
      await server.command('CONFIG', 'SET', 'maxmemory', '1');
      return () => server.command('CONFIG', 'SET', 'maxmemory', '0');
    },
  },
  {
    name: 'NOREPLICAS',
    isOneOutage: true,
    lastsMs: 2000,
    async begin({ server }) {
      await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
      return () => server.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    },
  },
  {
    name: 'MISCONF (a snapshot that cannot be written)',
    isOneOutage: true,
    lastsMs: 2000,
    async begin({ server }) {
      await mkdir(join(server.directory, 'dump.rdb'));
      await server.command('CONFIG', 'SET', 'save', '3600 1000000');
      await server.command('BGSAVE');
      await waitFor(async () => /rdb_last_bgsave_status:err/.test(String(await server.command('INFO'))), {
        what: 'the snapshot to fail',
      });
      return () => server.command('CONFIG', 'SET', 'save', '');
    },
  },
  {
    name: 'LOADING',
    lastsMs: 500,
    async prepare({ server }) {
      await server.command('DEBUG', 'POPULATE', '2500', 'ballast');
      await server.command('BGREWRITEAOF');
      await waitFor(async () => /aof_last_bgrewrite_status:ok/.test(String(await server.command('INFO'))), {
        what: 'the append-only file to be rewritten',
      });
      await waitFor(async () => /aof_rewrite_in_progress:0/.test(String(await server.command('INFO'))), {
        what: 'the rewrite to end',
      });
    },
    async begin({ server }) {
      await server.restart(['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024']);
      // Waits while LOADING: the delay of each key is longer on a busy machine.
      return () => server.commandWith({ timeoutMs: 30_000 }, 'PING');
    },
  },
  {
    name: 'CLIENT PAUSE WRITE',
    isOneOutage: true,
    leavesUnknown: true,
    lastsMs: 2000,
    async begin({ server }) {
      await server.command('CLIENT', 'PAUSE', '60000', 'WRITE');
      return () => server.command('CLIENT', 'UNPAUSE');
    },
  },
  {
    name: 'BUSY with a script',
    isOneOutage: true,
    lastsMs: 2000,
    async begin({ server }) {
      const busy = new RespConnection({ port: server.port, timeoutMs: 60_000 });
      const ended = busy.send('EVAL', 'while true do end', '0').catch(() => {});
      return async () => {
        await server.command('SCRIPT', 'KILL');
        await ended;
        busy.close();
      };
    },
  },
  {
    name: 'SCRIPT FLUSH, again and again',
    lastsMs: 100,
    expectsBackup: false,
    async begin({ server }) {
      for (let i = 0; i < 20; i++) {
        await server.command('SCRIPT', 'FLUSH', 'SYNC');
        await sleep(40);
      }
      return () => {};
    },
  },
  {
    name: 'CLIENT KILL, again and again',
    lastsMs: 100,
    expectsBackup: false,
    async begin({ server }) {
      for (let i = 0; i < 8; i++) {
        await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await sleep(150);
      }
      return () => {};
    },
  },
  {
    name: 'NOAUTH (a password set at run time)',
    lastsMs: 2500,
    async begin({ server }) {
      const admin = new RespConnection({ port: server.port });
      await admin.send('CONFIG', 'SET', 'requirepass', 'secret');
      await admin.send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      return async () => {
        await admin.send('CONFIG', 'SET', 'requirepass', '');
        admin.close();
      };
    },
  },
  {
    name: 'WRONGPASS (a password changed at run time)',
    lastsMs: 2500,
    credentials: { username: 'app', password: 'right' },
    async prepare({ server }) {
      await server.command('ACL', 'SETUSER', 'app', 'on', '>right', '~*', '&*', '+@all');
    },
    async begin({ server }) {
      await server.command('ACL', 'SETUSER', 'app', 'resetpass', '>wrong');
      await server.command('CLIENT', 'KILL', 'USER', 'app');
      return () => server.command('ACL', 'SETUSER', 'app', 'resetpass', '>right');
    },
  },
  {
    name: 'maxclients',
    lastsMs: 2500,
    async begin({ server }) {
      const admin = new RespConnection({ port: server.port });
      await admin.send('CONFIG', 'SET', 'maxclients', '1');
      await admin.send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      return async () => {
        await admin.send('CONFIG', 'SET', 'maxclients', '10000');
        admin.close();
      };
    },
  },
];

const networkFaults: readonly Fault[] = [
  {
    name: 'replies cut after execution, for 1.5 s',
    lastsMs: 1500,
    async begin({ proxy }) {
      proxy.cutReplies();
      return () => proxy.heal();
    },
  },
  {
    name: 'replies swallowed for 2 s, and the connection lost then',
    lastsMs: 2000,
    async begin({ proxy }) {
      proxy.swallowReplies({ closeOnHeal: true });
      return () => proxy.heal();
    },
  },
  {
    name: 'half replies, for 1.5 s',
    lastsMs: 1500,
    async begin({ proxy }) {
      proxy.halfReplies();
      return () => proxy.heal();
    },
  },
  {
    name: 'a black hole for 3 s',
    isOneOutage: true,
    leavesUnknown: true,
    lastsMs: 3000,
    async begin({ proxy }) {
      proxy.blackhole();
      return () => proxy.heal();
    },
  },
  {
    name: '2 s latency',
    leavesUnknown: true,
    lastsMs: 3500,
    async begin({ proxy }) {
      proxy.latency(2000);
      return () => proxy.heal();
    },
  },
  {
    name: 'garbage bytes, for 1 s',
    lastsMs: 1000,
    async begin({ proxy }) {
      proxy.garbage({ closeOnHeal: true });
      return () => proxy.heal();
    },
  },
  {
    name: 'refused for 1.5 s',
    lastsMs: 1500,
    async begin({ proxy }) {
      await proxy.refuse();
      return () => proxy.accept();
    },
  },
  {
    name: 'never up at the start, then started',
    lastsMs: 1500,
    async prepare({ proxy }) {
      await proxy.refuse();
    },
    async begin({ proxy }) {
      return () => proxy.accept();
    },
  },
];

/** The server's own faults, then the network's. */
export const faults: readonly Fault[] = [...serverFaults, ...networkFaults];

/** Those in which clients and their majors differ most: how they lose a connection, and how they give commands up. */
export const tellingFaults = faults.filter(({ name }) =>
  /^(kill -9|SIGSTOP|replies cut|NOAUTH|never up|garbage)/.test(name),
);

const isTelling = (fault: Fault) => tellingFaults.includes(fault);

/** All the others, in two lots, so that two test files can share them. */
export const otherServerFaults = serverFaults.filter((fault) => !isTelling(fault));
export const otherNetworkFaults = networkFaults.filter((fault) => !isTelling(fault));
