import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { StageFailure } from './stage.js';

/** The addresses of a name. Rejects with a {@link StageFailure}. */
export async function resolveName(host: string, timeoutMs: number): Promise<readonly string[]> {
  const addresses = await timed(lookup(host, { all: true }), timeoutMs, 'name-server-silent').catch(
    (error: unknown) => {
      if (error instanceof StageFailure) throw error;
      const code = codeOf(error);
      throw new StageFailure(code === 'EAI_AGAIN' ? 'name-server-silent' : 'name-not-found', code);
    },
  );
  return addresses.map(({ address }) => address);
}

/** The first of the addresses that accepts, all within `timeoutMs`. Rejects with the last one's {@link StageFailure}. */
export async function openSocket(
  addresses: readonly string[],
  port: number,
  timeoutMs: number,
): Promise<Socket> {
  let failure = new StageFailure('name-not-found');
  const endsAt = performance.now() + timeoutMs;
  for (const [n, host] of addresses.entries()) {
    try {
      return await openOne(host, port, Math.max(1, (endsAt - performance.now()) / (addresses.length - n)));
    } catch (error) {
      failure = error as StageFailure;
    }
  }
  throw failure;
}

function openOne(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const settle = (done: () => void) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => {});
      done();
    };
    const giveUp = (failure: StageFailure) =>
      settle(() => {
        socket.destroy();
        reject(failure);
      });
    const timer = setTimeout(() => giveUp(new StageFailure('black-hole')), timeoutMs);
    socket.once('connect', () => settle(() => resolve(socket)));
    socket.once('error', (error) => {
      const code = codeOf(error);
      const cause = code === 'ECONNREFUSED' ? 'refused' : code === 'ETIMEDOUT' ? 'black-hole' : 'unreachable';
      giveUp(new StageFailure(cause, code));
    });
  });
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/;

/** TLS over `socket`. Rejects with a {@link StageFailure}: `certificate`, `tls-failed` or `no-answer`. */
export function secure(
  socket: Socket,
  host: string,
  options: ConnectionOptions,
  timeoutMs: number,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // Without a name Node checks the certificate against "localhost"; an address may not be sent as a name.
    const names = isIP(host) ? { host } : { servername: host };
    const secured = tlsConnect({ ...names, ...options, socket });
    const settle = (done: () => void) => {
      clearTimeout(timer);
      secured.removeAllListeners('error');
      secured.on('error', () => {});
      done();
    };
    const giveUp = (failure: StageFailure) =>
      settle(() => {
        secured.destroy();
        reject(failure);
      });
    const timer = setTimeout(() => giveUp(new StageFailure('no-answer')), timeoutMs);
    secured.once('secureConnect', () => settle(() => resolve(secured)));
    secured.once('error', (error) => {
      const code = codeOf(error) ?? '';
      giveUp(new StageFailure(certificateCodes.test(code) ? 'certificate' : 'tls-failed', code));
    });
    secured.once('close', () => giveUp(new StageFailure('tls-failed', 'closed')));
  });
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

async function timed<T>(work: Promise<T>, timeoutMs: number, cause: 'name-server-silent'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StageFailure(cause)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
