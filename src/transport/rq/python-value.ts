import { payloadPath } from '../../job/payload-path.js';

/** What comes out of JSON. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Python gives up at about a thousand calls, and to pickle such a value again, as a result say, takes it some a level. */
const MAX_DEPTH = 200;
/** From here on JSON writes a number with an exponent, and Python reads a float, which is what it is. */
const FIRST_EXPONENT = 1e21;

/**
 * Why Python would not get `value` as it was `given`, and where; undefined when it does. `value` is what JSON made of it. Names the
 * place, never what is there.
 */
export function pythonProblem(value: JsonValue, given: unknown, root: string): string | undefined {
  const path: PropertyKey[] = [];

  function search(value: JsonValue, given: unknown): string | undefined {
    if (value === null) return isLost(given) ? 'is nothing that JSON can hold (NaN, say)' : undefined;
    if (typeof value === 'number') return numberProblem(value);
    if (typeof value === 'string') return value.isWellFormed() ? undefined : 'is no valid Unicode';
    if (typeof value === 'boolean') return undefined;
    if (path.length >= MAX_DEPTH) return `is more than ${MAX_DEPTH} levels deep`;
    if (ArrayBuffer.isView(given))
      return 'is bytes, which JSON cannot hold; give them as text, in base64 say';
    // What a toJSON() leaves out is its author's business.
    const source = isObject(given) && !hasToJson(given) ? given : undefined;
    if (source !== undefined && !Array.isArray(source)) {
      if (!isPlain(source))
        return 'is neither a list nor a plain object, but an instance of a class (a Set, say)';
      const lost = Reflect.ownKeys(source).find((key) => isLeftOut(source, key));
      if (lost !== undefined) {
        path.push(lost);
        return 'is or has for its key a function or a symbol, which JSON leaves out';
      }
    }
    const keys = Array.isArray(value) ? value.keys() : Object.keys(value);
    for (const key of keys) {
      if (typeof key === 'string' && !key.isWellFormed()) return 'has a key that is no valid Unicode';
      path.push(key);
      const problem = search((value as Readonly<Record<PropertyKey, JsonValue>>)[key] ?? null, source?.[key]);
      if (problem !== undefined) return problem;
      path.pop();
    }
    return undefined;
  }

  const problem = search(value, given);
  return problem === undefined ? undefined : `${payloadPath(path.slice(0, 10), root)} ${problem}`;
}

function numberProblem(value: number): string | undefined {
  if (!Number.isFinite(value)) return 'is not a finite number';
  if (!Number.isInteger(value) || Number.isSafeInteger(value) || Math.abs(value) >= FIRST_EXPONENT) {
    return undefined;
  }
  return 'is a whole number beyond Number.MAX_SAFE_INTEGER, whose last digits may be wrong; give it as text';
}

function isObject(given: unknown): given is Readonly<Record<PropertyKey, unknown>> {
  return typeof given === 'object' && given !== null;
}

/** Its prototype is none or a root: that of a plain object, also of one that another realm made. */
function isPlain(given: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(given);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether JSON leaves out what `given` has under `key`, and it is something: undefined may be left out. */
function isLeftOut(given: Readonly<Record<PropertyKey, unknown>>, key: PropertyKey): boolean {
  if (!Object.prototype.propertyIsEnumerable.call(given, key)) return false;
  if (typeof key === 'symbol') return given[key] !== undefined;
  const item = given[key];
  return (typeof item === 'function' || typeof item === 'symbol') && !hasToJson(item);
}

/** Whether JSON has made null of something that is not nothing. */
function isLost(given: unknown): boolean {
  if (given instanceof Number || given instanceof Date) return true;
  return typeof given === 'number' || typeof given === 'function' || typeof given === 'symbol';
}

function hasToJson(given: unknown): boolean {
  return typeof (given as { readonly toJSON?: unknown } | null | undefined)?.toJSON === 'function';
}
