import { afterAll, beforeAll, describe, it } from 'vitest';
import { ListTransport, listKey } from '../../examples/own-transport/list-transport.js';
import { describeTransport } from '../../src/conformance/index.js';
import { StreamsTransport, streamKey } from '../../src/index.js';
import { type Benches, benches } from './support/bench.js';
import { listed, rqJobs, streamed } from './support/read-jobs.js';
import { rqSubject } from './support/rq-subject.js';

let setting: Benches;
beforeAll(async () => {
  setting = await benches();
});
afterAll(() => setting.server.stop());

describe('StreamsTransport', () => {
  describeTransport(
    {
      open: () => setting.open(() => new StreamsTransport(), streamed, streamKey),
      options: { taken: [], refused: [{}, 'fast', null] },
    },
    { describe, it },
  );
});

describe('ListTransport, the example', () => {
  describeTransport(
    {
      open: () => setting.open(() => new ListTransport(), listed, listKey),
      options: { taken: [], refused: [{}, 'fast', null] },
    },
    { describe, it },
  );
});

describe('RqTransport', () => {
  // Its pickles are read by Python: test/workers/rq/conformance.test.ts.
  describeTransport(
    rqSubject(() => setting, 'json', rqJobs),
    { describe, it },
  );
});
