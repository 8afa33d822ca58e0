import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PayloadSchemas } from '../../../src/job/payload-schemas.js';
import type { StandardSchema } from '../../../src/job/standard-schema.js';

const vendors: Readonly<Record<string, StandardSchema>> = {
  zod: z.strictObject({ question: z.string(), tags: z.array(z.object({ id: z.number() })).optional() }),
  valibot: v.strictObject({
    question: v.string(),
    tags: v.optional(v.array(v.object({ id: v.number() }))),
  }),
  arktype: type({ '+': 'reject', question: 'string', 'tags?': type({ id: 'number' }).array() }),
};

describe.each(Object.entries(vendors))('%s', (vendor, schema) => {
  const schemas = new PayloadSchemas({ job: schema });
  const problem = (payload: unknown) => schemas.problem('job', JSON.stringify(payload));

  it('passes what fits', () => {
    expect(problem({ question: 'why' })).toBeUndefined();
    expect(problem({ question: 'why', tags: [{ id: 1 }] })).toBeUndefined();
  });

  it('says where a payload does not fit, and nothing of its values', () => {
    const text = problem({ question: 'why', tags: [{ id: 1 }, { id: 'secret' }] });
    expect(text).toContain(`(${vendor})`);
    expect(text).toContain('payload.tags[1].id');
    expect(text).not.toContain('secret');
    expect(problem({ question: 7 })).toContain('payload.question');
    expect(problem({})).toContain('payload.question');
  });

  it('refuses what a strict schema does not know', () => {
    expect(problem({ question: 'why', more: 1 })).toContain(`(${vendor})`);
  });

  it('refuses null, and a payload that is left out', () => {
    expect(problem(null)).toContain('payload');
  });
});

it.each<[string, StandardSchema]>([
  ['zod', z.undefined()],
  ['zod', z.object({}).optional()],
  ['zod', z.null()],
  ['valibot', v.optional(v.string())],
  ['arktype', type('undefined')],
])('takes a payload left out where the schema does: %s', (_, schema) => {
  expect(new PayloadSchemas({ job: schema }).problem('job', 'null')).toBeUndefined();
});

it('sees the JSON that is laid down: a date is a string', () => {
  const schemas = new PayloadSchemas({
    date: z.object({ at: z.date() }),
    text: z.object({ at: z.iso.datetime() }),
  });
  const payload = JSON.stringify({ at: new Date() });
  expect(schemas.problem('date', payload)).toContain('payload.at');
  expect(schemas.problem('text', payload)).toBeUndefined();
});

it('knows its names, and nothing of others', () => {
  const schemas = new PayloadSchemas({ one: z.string(), two: z.string() });
  expect(schemas.names).toEqual(['one', 'two']);
  expect([schemas.has('one'), schemas.has('toString')]).toEqual([true, false]);
  expect(schemas.problem('three', '7')).toBeUndefined();
});

it('does not tell keys that look like data', () => {
  const schemas = new PayloadSchemas({ job: z.record(z.string(), z.number()) });
  const text = schemas.problem('job', JSON.stringify({ 'someone@example.org': 'x', name: 'y' }));
  expect(text).toContain('payload[…]');
  expect(text).toContain('payload.name');
  expect(text).not.toContain('someone');
});

it('names five places at most', () => {
  const schemas = new PayloadSchemas({ job: z.array(z.number()) });
  const text = schemas.problem('job', JSON.stringify(Array(9).fill('x')));
  expect(text).toContain('payload[4], and 4 more');
});

it('refuses a schema that answers later, whose failure then is nobody’s unhandled rejection', async () => {
  const later = z.string().refine(async () => false);
  const unhandled: unknown[] = [];
  const listen = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', listen);
  const failing: StandardSchema = {
    '~standard': { version: 1, vendor: 'mine', validate: () => Promise.reject(new Error('secret')) },
  };
  const schemas = new PayloadSchemas({ later, failing });
  expect(schemas.problem('later', '"x"')).toMatch(/\(zod\) (validates asynchronously|threw)/);
  expect(schemas.problem('failing', '"x"')).toContain('(mine) validates asynchronously');
  await new Promise(setImmediate);
  process.off('unhandledRejection', listen);
  expect(unhandled).toEqual([]);
});

it('takes a schema that throws for one that refuses, and does not tell what it said', () => {
  const throwing: StandardSchema = {
    '~standard': {
      version: 1,
      vendor: 'mine',
      validate(value) {
        throw new Error(`bad ${value}`);
      },
    },
  };
  expect(new PayloadSchemas({ job: throwing }).problem('job', '"secret"')).toBe('its schema (mine) threw');
});
