import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findPython } from '../../../scripts/find-python.js';
import { pickle } from '../../../src/transport/rq/pickle.js';
import { type JsonValue, pythonProblem } from '../../../src/transport/rq/python-value.js';

// Reads each line's pickle, and the same in JSON, and says where they differ; a float is not the whole number of its value.
const compare = `
import base64, json, pickle, pickletools, sys
def same(one, other):
    if type(one) is not type(other): return False
    if isinstance(one, dict): return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list): return len(one) == len(other) and all(map(same, one, other))
    return one == other
count = 0
for line in sys.stdin:
    data, text = [base64.b64decode(part) for part in line.split()]
    list(pickletools.genops(data))
    count += 1
    if not same(pickle.loads(data), json.loads(text.decode())): print('differs', text[:200])
print(count)
`;

const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -1, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32),
);
const text = fc.string({ unit: 'binary', maxLength: 300 });
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'medium' },
    ...[fc.constantFrom(null, true, false), number, text],
    fc.array(tie('value')),
    fc.dictionary(text, tie('value')),
  ),
}));

it('is read by Python as JSON’s values are, for 3000 generated ones', async () => {
  const python = await findPython('rq');
  // Only those that may be enqueued, as they come out of a record.
  const values = fc
    .sample(value, { numRuns: 3300, seed: 20_261_128 })
    .map((some) => JSON.parse(JSON.stringify(some)) as JsonValue)
    .filter((some) => pythonProblem(some, some, 'payload') === undefined)
    .slice(0, 3000);
  const lines = values.map((some) => {
    const json = Buffer.from(JSON.stringify(some));
    return `${pickle(some).toString('base64')} ${json.toString('base64')}\n`;
  });
  const { stdout, stderr } = spawnSync(python, ['-c', compare], { input: lines.join(''), encoding: 'utf8' });
  expect(stdout, stderr).toBe('3000\n');
});
