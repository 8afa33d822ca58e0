import type { RedisConnection } from '../../../src/index.js';

/** A connection that never is ready, so that nothing is sent; and it notes what was. */
export class IdleConnection implements RedisConnection {
  readonly client = {};
  readonly isReady = false;
  readonly sent: string[] = [];

  async send(args: readonly (string | Buffer)[]): Promise<never> {
    this.sent.push(String(args[0]));
    throw new Error('This connection sends nothing');
  }

  listen(): () => void {
    return () => {};
  }

  destroy(): void {}
}
