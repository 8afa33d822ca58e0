import type { Server } from '../server.js';
import { duration } from './words.js';

/** ` in 5 h`: since when a server counts; nothing where it does not tell. */
export function withinUptime(server: Server): Promise<string> {
  return server.infoNumber('uptime_in_seconds').then(
    (seconds) => ` in ${duration(seconds * 1000)}`,
    () => '',
  );
}
