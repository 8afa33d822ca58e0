import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range that Linux and macOS hand to outgoing connections. A port from inside it, as listen(0) gives, can be
// taken by anyone's connection while its server is down, and a client that keeps dialling it ends up connected to itself.
const LOWEST = 10_000;
const HIGHEST = 32_000;

/** Resolves with a port of 127.0.0.1 on which nothing listens, and which no outgoing connection will be given. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
