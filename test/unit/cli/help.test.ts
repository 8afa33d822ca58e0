import { expect, it } from 'vitest';
import { doctorCommand } from '../../../src/cli/doctor-command.js';
import { parkedCommand } from '../../../src/cli/parked-command.js';
import { run } from '../../../src/cli/run.js';
import { verifyCommand } from '../../../src/cli/verify-command.js';

const commands = [doctorCommand, parkedCommand, verifyCommand];

async function help(...args: string[]): Promise<string> {
  let out = '';
  const io = {
    out: (text: string) => {
      out += text;
    },
    ...{ err() {}, env: {}, hasColours: false },
  };
  expect(await run(commands, '1.2.3', [...args, '--help'], io)).toBe(0);
  return out;
}

const tooLong = (text: string) => text.split('\n').filter((line) => line.length > 80);

it('names every command, within a terminal of 80 columns', async () => {
  const text = await help();
  for (const { name, summary } of commands) expect(text).toMatch(new RegExp(`^  ${name} +${summary}$`, 'm'));
  expect(tooLong(text)).toEqual([]);
});

it.each(commands)('says how $name is called, within a terminal of 80 columns', async ({ name }) => {
  const text = await help(name);
  expect(text).toMatch(new RegExp(`^Usage: resilient-queue ${name} .*\n\n`));
  expect(tooLong(text)).toEqual([]);
});
