import { isIP, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import type { FailureCause } from '../doctor-report.js';
import type { Address } from '../target.js';
import { LineSocket } from './line-socket.js';
import { openSocket, resolveName, secure } from './reach.js';
import { StageFailure, type StageName, type StageResult, stageNames } from './stage.js';

/** How long a TLS handshake may take before the port is tried plainly. */
const SUSPICIOUS_MS = 500;

/**
 * Connects by hand, stage by stage, so that what is wrong has a name: a client's error says "connection is closed" for a wrong
 * password, a refused port and a bad name alike. Each stage has `timeoutMs`. Never rejects.
 *
 * 1. DNS, unless the host is an address; 2. TCP; 3. TLS, where asked for; 4. AUTH, where there is a password; 5. PING, SELECT.
 * 6. What fails in 3 to 5 may be TLS spoken to a plain port, or the other way about: the other way is tried to find out.
 */
export async function goThroughStages(address: Address, timeoutMs: number): Promise<readonly StageResult[]> {
  const run = new Run();
  const sockets: Socket[] = [];
  try {
    await connectBy(address, timeoutMs, run, sockets);
  } catch (error) {
    if (!(error instanceof StageFailure)) throw error;
    run.fail(error);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  return run.results();
}

async function connectBy(address: Address, timeoutMs: number, run: Run, sockets: Socket[]): Promise<void> {
  const { host, port, tls, username, password, db } = address;
  let addresses: readonly string[] = [host];
  if (isIP(host)) run.skip('dns', 'The host is an address');
  else addresses = await run.time('dns', () => resolveName(host, timeoutMs));
  const open = async () => {
    const socket = await openSocket(addresses, port, timeoutMs);
    sockets.push(socket);
    return socket;
  };
  let socket = await run.time('tcp', open);

  if (tls) {
    const plain = socket;
    socket = await run.time('tls', () => secureOrNameIt(plain, host, tls, timeoutMs, open));
    sockets.push(socket);
  } else {
    run.skip('tls', 'Not asked for (rediss:// asks for it)');
  }

  const line = new LineSocket(socket);
  const ask = async (stage: StageName, args: readonly string[]) => {
    try {
      return await line.ask(args, timeoutMs);
    } catch (error) {
      if (!(error instanceof StageFailure)) throw error;
      if (tls && /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/.test(error.detail ?? '')) {
        throw new StageFailure('client-certificate');
      }
      if (tls || !(await speaksTls(open, host, timeoutMs))) throw error;
      run.at('tls', stage);
      throw new StageFailure('plain-to-tls-port', undefined, error.at);
    }
  };

  if (password === undefined) run.skip('auth', 'No password was given');
  else {
    const credentials = username === undefined ? [password] : [username, password];
    await run
      .time('auth', async () => judge(await ask('auth', ['AUTH', ...credentials])))
      .catch((error: StageFailure) => {
        if (error.failureCause !== 'password-not-expected') throw error;
        run.warn(error);
      });
  }
  await run.time('first-command', async () => {
    const answer = await ask('first-command', ['PING']);
    if (answer.startsWith('-NOAUTH')) run.at('auth', 'first-command');
    judge(answer);
    if (db > 0) judgeSelect(await ask('first-command', ['SELECT', String(db)]));
  });
}

/** Some plain Redis never answer to a TLS greeting: they wait for the end of its line. So the plain way is tried meanwhile. */
async function secureOrNameIt(
  socket: Socket,
  host: string,
  tls: ConnectionOptions,
  timeoutMs: number,
  open: () => Promise<Socket>,
): Promise<Socket> {
  const failIfPlain = async () => {
    if (await speaksPlainly(open, timeoutMs)) throw new StageFailure('tls-to-plain-port');
  };
  const secured = secure(socket, host, tls, timeoutMs).catch(async (error: StageFailure) => {
    if (error.failureCause !== 'certificate') await failIfPlain();
    throw error;
  });
  const calm = new AbortController();
  const suspicion = sleep(SUSPICIOUS_MS, undefined, { signal: calm.signal }).then(failIfPlain);
  try {
    await Promise.race([secured, suspicion]);
    return await secured;
  } finally {
    calm.abort();
  }
}

const answers: readonly (readonly [answer: RegExp, FailureCause | undefined, detail?: string])[] = [
  [/^\+/, undefined],
  // PING may be denied to a user that may do all that matters.
  [/^-NOPERM/, undefined],
  [/^-WRONGPASS|^-ERR invalid password/, 'wrong-password'],
  [
    /^-ERR (?:AUTH <password> called without any password|Client sent AUTH, but no password)/,
    'password-not-expected',
  ],
  [/^-ERR wrong number of arguments for 'auth'/i, 'wrong-password', 'Redis before 6 has no users'],
  [/^-NOAUTH/, 'password-missing'],
  [/^-ERR max number of clients/, 'max-clients'],
  [/^-DENIED/, 'protected-mode'],
  [/^-LOADING/, 'loading'],
  [/^-ERR DB index is out of range|^-ERR SELECT is not allowed/, 'database'],
  // What else Redis answers to PING (MASTERDOWN, BUSY …) is for the canary to judge.
  [/^-[A-Z]+ /, undefined],
];

function judge(answer: string): void {
  const row = answers.find(([pattern]) => pattern.test(answer));
  const [, cause, detail] = row ?? [undefined, 'not-redis'];
  if (cause) throw new StageFailure(cause, detail);
}

/** Denied, it leaves a client in another database than was meant, some without a word. */
function judgeSelect(answer: string): void {
  if (answer.startsWith('-NOPERM')) throw new StageFailure('database', 'NOPERM');
  judge(answer);
}

async function speaksPlainly(open: () => Promise<Socket>, timeoutMs: number): Promise<boolean> {
  let socket: Socket | undefined;
  try {
    socket = await open();
    const answer = await new LineSocket(socket).ask(['PING'], Math.min(timeoutMs, 1000));
    return /^[+-]/.test(answer);
  } catch {
    return false;
  } finally {
    // Whoever asked may have ended meanwhile.
    socket?.destroy();
  }
}

async function speaksTls(open: () => Promise<Socket>, host: string, timeoutMs: number): Promise<boolean> {
  try {
    const secured = await secure(
      await open(),
      host,
      { rejectUnauthorized: false },
      Math.min(timeoutMs, 1000),
    );
    secured.destroy();
    return true;
  } catch (error) {
    // It would not go on with us, but it was TLS that it refused in.
    return error instanceof StageFailure && /ALERT/.test(error.detail ?? '');
  }
}

/** The results, as they come. */
class Run {
  readonly #results = new Map<StageName, StageResult>();
  #stage: StageName = 'dns';
  #startedAt = 0;

  skip(stage: StageName, why: string): void {
    this.#results.set(stage, { stage, outcome: 'skipped', why });
  }

  async time<T>(stage: StageName, work: () => Promise<T>): Promise<T> {
    this.#stage = stage;
    this.#startedAt = performance.now();
    const value = await work();
    this.#results.set(stage, { stage, outcome: 'pass', ms: this.#elapsed() });
    return value;
  }

  /** It shows in stage `seenIn` and is `stage`'s doing. */
  at(stage: StageName, seenIn: StageName): void {
    this.#stage = stage;
    this.skip(seenIn, 'Not come to');
  }

  warn(failure: StageFailure): void {
    this.#end('warn', failure);
  }

  fail(failure: StageFailure): void {
    this.#end('fail', failure);
  }

  #end(outcome: 'warn' | 'fail', { failureCause: cause, detail, at }: StageFailure): void {
    const stage = this.#stage;
    this.#results.set(stage, { stage, outcome, ms: this.#elapsed(at), cause, detail });
  }

  results(): readonly StageResult[] {
    return stageNames.map(
      (stage) => this.#results.get(stage) ?? { stage, outcome: 'skipped', why: 'Not come to' },
    );
  }

  #elapsed(until = performance.now()): number {
    return Math.round((until - this.#startedAt) * 10) / 10;
  }
}
