#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import type { Command, CommandIo } from './command.js';
import { doctorCommand } from './doctor-command.js';
import { parkedCommand } from './parked-command.js';
import { run } from './run.js';
import { verifyCommand } from './verify-command.js';

const commands: readonly Command[] = [doctorCommand, parkedCommand, verifyCommand];

const io: CommandIo = {
  // Also where nobody reads any more: the callback is then given the error.
  out: (text) => new Promise((resolve) => void process.stdout.write(text, () => resolve())),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  hasColours: process.stdout.hasColors?.() ?? false,
  columns: process.stdout.columns,
};

// Two folders up from src/cli and from dist/cli alike.
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

// Whoever reads them may have seen enough: `… 2>&1 | head`.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

void run(commands, version, process.argv.slice(2), io).then((code) => {
  // Not exit(): a pipe may not have taken all of the output yet.
  process.exitCode = code;
});
