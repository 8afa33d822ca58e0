import { type Check, fail, NotMade, type Patient, pass, warn } from '../check.js';

const ROUND_TRIPS = 20;
/** What an attempt of the library waits for Redis, unless told otherwise. */
const ATTEMPT_MS = 400;
const SKEW_MS = 5000;

const measured = new WeakMap<Patient, Promise<readonly number[]>>();

/** The durations of {@link ROUND_TRIPS} commands, one after the other, sorted; measured once a patient. */
function roundTrips(patient: Patient): Promise<readonly number[]> {
  let durations = measured.get(patient);
  if (!durations) {
    durations = measure(patient);
    measured.set(patient, durations);
  }
  return durations;
}

async function measure({ server }: Patient): Promise<readonly number[]> {
  const durations: number[] = [];
  for (let n = 0; n < ROUND_TRIPS; n++) {
    const startedAt = performance.now();
    // A refusal takes as long as an answer.
    await server.send('PING').catch((error: unknown) => {
      const isSilent =
        error instanceof NotMade || /timeout|connect/.test((error as { kind?: string }).kind ?? '');
      if (isSilent)
        throw error instanceof NotMade ? error : new NotMade('unreachable', 'Redis did not answer');
    });
    durations.push(performance.now() - startedAt);
  }
  return durations.sort((a, b) => a - b);
}

const tenths = (ms: number) => Math.round(ms * 10) / 10;

const roundTrip: Check = {
  id: 'network.round-trip',
  isOfSentinels: true,
  group: 'network',
  title: 'Round trip',
  reads: `the median of ${ROUND_TRIPS} PINGs`,
  threshold: 'at most 10 ms; above 50 ms it fails',
  source: 'https://github.com/sidekiq/sidekiq/wiki/Using-Redis (RTT)',
  async examine(patient) {
    const durations = await roundTrips(patient);
    const median = tenths(durations[Math.floor(durations.length / 2)] as number);
    if (median <= 10) return pass(`${median} ms`, median);
    const remedy =
      'Bring service and Redis into one region and network; if they are, look at CPU and slow commands.';
    return median <= 50 ? warn(`${median} ms`, remedy, median) : fail(`${median} ms`, remedy, median);
  },
};

const worstRoundTrip: Check = {
  id: 'network.worst-round-trip',
  isOfSentinels: true,
  group: 'network',
  title: 'Slowest round trip',
  reads: `the slowest of ${ROUND_TRIPS} PINGs`,
  threshold: `at most ${ATTEMPT_MS} ms, which an attempt waits (attemptTimeoutMs)`,
  source: 'README: Options',
  async examine(patient) {
    const slowest = tenths((await roundTrips(patient)).at(-1) as number);
    if (slowest <= ATTEMPT_MS) return pass(`${slowest} ms`, slowest);
    return warn(
      `${slowest} ms`,
      'Look for packet loss between (mtr, ping), and for stalls of Redis (slow commands, forks, swapping).',
      slowest,
    );
  },
};

const clockSkew: Check = {
  id: 'network.clock',
  group: 'network',
  title: "Clocks of Redis's machine and this one",
  reads: 'TIME',
  threshold: `at most ${SKEW_MS / 1000} s apart`,
  source: 'README: expiresAt and runAt are instants',
  async examine({ server }) {
    const startedAt = Date.now();
    const [seconds, micros] = (await server.ask('TIME')) as readonly unknown[];
    const middle = (startedAt + Date.now()) / 2;
    const apart = Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - middle);
    if (Number.isNaN(apart)) throw new NotMade('refused', 'The answer to TIME could not be read');
    if (Math.abs(apart) <= SKEW_MS) return pass(`${Math.abs(apart)} ms apart`, apart);
    return warn(
      `Redis's is ${Math.abs(apart)} ms ${apart > 0 ? 'ahead' : 'behind'}`,
      'Run a time service (chrony, systemd-timesyncd) on both: jobs expire and run by these clocks.',
      apart,
    );
  },
};

export const networkChecks: readonly Check[] = [roundTrip, worstRoundTrip, clockSkew];
