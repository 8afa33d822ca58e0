import { deflateSync } from 'node:zlib';
import type { JobRecord } from '../../job/job-record.js';
import type { Argument } from '../../redis/redis-connection.js';
import { pickle } from './pickle.js';
import { callOf } from './python-call.js';
import type { JsonValue } from './python-value.js';

/** What the workers read jobs with: `json` is `rq.serializers.JSONSerializer`, `pickle` RQ's default. */
export type RqSerializer = 'json' | 'pickle';

/** Writes what RQ keeps serialised. */
export interface Encoding {
  /** The function and its arguments: the field `data`. */
  call(job: JobRecord): Argument;
  value(value: JsonValue): Argument;
}

export function encodingOf(serializer: RqSerializer, compress: boolean): Encoding {
  const value = serializer === 'json' ? (value: JsonValue) => JSON.stringify(value) : pickle;
  // RQ serialises the function, the object that it is a method of (none), and the arguments.
  const call =
    serializer === 'json'
      ? jsonCall
      : ({ name, payload }: JobRecord) => {
          const { args, kwargs } = knownCall(JSON.parse(payload));
          return pickle([name, null, args, kwargs]);
        };
  return { value, call: compress ? (job) => deflateSync(call(job)) : call };
}

function jsonCall({ name, payload }: JobRecord): string {
  const func = JSON.stringify(name);
  // A list is JSON already.
  if (payload.startsWith('[')) return `[${func},null,${payload},{}]`;
  const { args, kwargs } = knownCall(JSON.parse(payload));
  return `[${func},null,${JSON.stringify(args)},${JSON.stringify(kwargs)}]`;
}

function knownCall(payload: JsonValue) {
  const call = callOf(payload);
  // Checked at enqueue: a store has given something else back.
  if (call === undefined) throw new TypeError('The payload of a stored job is no call of a Python function.');
  return call;
}
