// Appends jobs to an LMDB backup, and ends as it is told. Bundled by its test. Each line is the id of a job that was kept.
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { open } from 'lmdb';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { jobRecord } from '../../unit/support/job-record.js';

/** What the appender is told. */
export interface AppenderSettings {
  readonly path: string;
  readonly name: string;
  readonly jobs: number;
  /**
   * `leave`: without closing anything. `exit`: in the middle. `stay`: not until it is killed. `hold`: likewise, with an open
   * snapshot.
   */
  readonly end: 'close' | 'leave' | 'exit' | 'stay' | 'hold';
  /** As the first process of a container, whose id is 1. */
  readonly isContained?: boolean;
}

const settings: AppenderSettings = JSON.parse(process.argv[2] as string);
const { path, name, jobs, end, isContained } = settings;
const say = (line: string) => writeSync(1, `${line}\n`);

if (isContained) {
  const again = [process.argv[1] as string, JSON.stringify({ ...settings, isContained: false })];
  const container = ['--pid', '--fork', '--kill-child', process.execPath, ...again];
  spawn('unshare', container, { stdio: 'inherit' }).once('exit', (code) => process.exit(code ?? 1));
} else if (end === 'hold') {
  const snapshot = open({ path, noSubdir: false, overlappingSync: false }).useReadTransaction();
  setInterval(() => snapshot, 1000);
  say('holding');
} else {
  const store = new LmdbBackupStore({ path });
  const appends = Array.from({ length: jobs }, async (_, n) => {
    const own = `${name}-${n}`;
    const [outcome, shared] = await store.append('q', [
      jobRecord({ id: own }),
      jobRecord({ id: `shared-${n}` }),
    ]);
    if (outcome === 'added') say(own);
    if (shared === 'added') say(`shared-${n}`);
    if (end === 'exit' && n === Math.floor(jobs / 2)) process.exit(7);
  });
  await Promise.all(appends);
  if (end === 'close') await store.close();
  if (end === 'stay') setInterval(() => store, 1000);
}
