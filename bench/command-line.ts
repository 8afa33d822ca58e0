import { parseArgs } from 'node:util';
import { type PartName, partNames } from './parts/index.js';

/** What was asked for on the command line. */
export interface CommandLine {
  readonly parts: readonly PartName[];
  readonly quick: boolean;
  readonly rounds: number;
  /** One file for everything, instead of one a part. */
  readonly json: string | undefined;
  readonly writeDocs: boolean;
  /** Profile `enqueue()` with so many callers instead. */
  readonly profile: number | undefined;
}

const usage = `npm run bench -- [--only ${partNames.join(',')}] [--rounds 5] [--quick] [--json FILE] [--write-docs]
npm run bench -- --profile [--callers 256]`;

/** Throws an error that says what is possible. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      callers: { type: 'string', default: '256' },
    },
  });
  const { quick } = values;
  if (quick && values['write-docs'])
    fail('--write-docs wants numbers that mean something: leave --quick out');
  return {
    parts: values.only === undefined ? partNames : values.only.split(',').map(partName),
    quick,
    rounds: wholeNumber('--rounds', values.rounds ?? (quick ? '1' : '5'), 100),
    json: values.json,
    writeDocs: values['write-docs'],
    profile: values.profile ? wholeNumber('--callers', values.callers, 10_000) : undefined,
  };
}

function partName(name: string): PartName {
  return partNames.find((part) => part === name) ?? fail(`there is no part "${name}"`);
}

function wholeNumber(option: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  return fail(`${option} must be a whole number from 1 to ${most}, got "${text}"`);
}

function fail(reason: string): never {
  throw new Error(`${reason}\n${usage}`);
}
