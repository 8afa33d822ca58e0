import { payloadPath } from './payload-path.js';
import type { SchemaIssue, SchemaResult, StandardSchema } from './standard-schema.js';

/** So many places are named in an error. */
const MAX_PATHS = 5;

/**
 * The schemas of a queue's payloads. A schema describes the JSON that is laid down: it sees what consumers will see, so what
 * passes at `enqueue()` passes at replay, and what it would make of the value (defaults, transforms) is left to consumers.
 */
export class PayloadSchemas {
  readonly #schemas: ReadonlyMap<string, StandardSchema['~standard']>;

  constructor(schemas: Readonly<Record<string, StandardSchema>>) {
    this.#schemas = new Map(Object.entries(schemas).map(([name, schema]) => [name, schema['~standard']]));
  }

  get names(): readonly string[] {
    return [...this.#schemas.keys()];
  }

  has(name: string): boolean {
    return this.#schemas.has(name);
  }

  /** Why `payload` (JSON text) does not fit the schema of `name`, without anything of its values; undefined when it does. */
  problem(name: string, payload: string): string | undefined {
    const schema = this.#schemas.get(name);
    if (schema === undefined) return undefined;
    const value: unknown = JSON.parse(payload);
    const problem = problemOf(schema, value);
    // A payload that is left out is laid down as null.
    return problem !== undefined && value === null ? problemOf(schema, undefined) : problem;
  }
}

function problemOf(schema: StandardSchema['~standard'], value: unknown): string | undefined {
  let result: SchemaResult | Promise<SchemaResult>;
  try {
    result = schema.validate(value);
  } catch {
    // What it threw may quote the value.
    return `its schema (${schema.vendor}) threw`;
  }
  if (result instanceof Promise) {
    result.catch(() => {});
    return `its schema (${schema.vendor}) validates asynchronously, which nobody here waits for`;
  }
  if (result.issues === undefined) return undefined;
  const paths = [...new Set(result.issues.map(pathOf))];
  const more = paths.length > MAX_PATHS ? `, and ${paths.length - MAX_PATHS} more` : '';
  return `it does not fit its schema (${schema.vendor}) at ${paths.slice(0, MAX_PATHS).join(', ')}${more}`;
}

function pathOf({ path = [] }: SchemaIssue): string {
  return payloadPath(path.map((step) => (typeof step === 'object' ? step.key : step)));
}
