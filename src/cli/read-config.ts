import { readFileSync } from 'node:fs';
import type { ConnectionConfig } from '../doctor/target.js';

/** Whether an argument names a file, and no Redis. */
export function isConfigFile(argument: string): boolean {
  return argument.endsWith('.json');
}

/** The configuration in a file of JSON. Throws a `TypeError` that says what is wrong with it, and quotes nothing of it. */
export function readConfig(path: string): ConnectionConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new TypeError(
      `The configuration cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`,
    );
  }
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    throw new TypeError('The configuration is no JSON.');
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new TypeError('The configuration must be an object: { "host": …, "port": … }.');
  }
  return config as ConnectionConfig;
}
