import type { JsonValue } from './python-value.js';

/** The arguments that the worker calls a function with. */
export interface PythonCall {
  readonly args: readonly JsonValue[];
  readonly kwargs: Readonly<Record<string, JsonValue>>;
}

/**
 * The call that `payload` stands for: a list is its positional arguments, `{ args?, kwargs? }` has both, null (a payload left
 * out) none. Undefined for anything else.
 */
export function callOf(payload: JsonValue): PythonCall | undefined {
  if (payload === null) return { args: [], kwargs: {} };
  if (isList(payload)) return { args: payload, kwargs: {} };
  if (typeof payload !== 'object') return undefined;
  const { args = [], kwargs = {}, ...others } = payload;
  if (!isList(args) || !isMap(kwargs) || Object.keys(others).length > 0) return undefined;
  return { args, kwargs };
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isMap(value: JsonValue): value is Readonly<Record<string, JsonValue>> {
  return typeof value === 'object' && value !== null && !isList(value);
}
