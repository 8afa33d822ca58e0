import type { HealthFormat } from './health-options.js';
import type { BackupBudget, HealthResult, QueueHealth } from './health-result.js';

/** The media type of each format. */
export const mediaTypes: Readonly<Record<HealthFormat, string>> = {
  'health+json': 'application/health+json',
  simple: 'application/json',
};

/** The answer to a probe, as JSON. */
export function healthBody(result: HealthResult, format: HealthFormat): string {
  return JSON.stringify(format === 'simple' ? simple(result) : healthJson(result));
}

function simple({ status, message }: HealthResult) {
  return { status: status === 'fail' ? 'error' : 'success', message };
}

// A key of `checks` is "component:measurement", and its list has an entry for each queue, named in `componentId`: the draft
// allows no colon in a component's name, and a queue's may have one.
function healthJson({ status, message, probe, queues, checkedAt }: HealthResult) {
  if (queues.length === 0) return { status };
  const time = new Date(checkedAt).toISOString();
  const entry = (queue: QueueHealth, fields: object) => ({
    componentId: queue.queue,
    status: queue.status,
    ...fields,
    time,
  });
  const redis = queues.map((queue) =>
    entry(queue, {
      componentType: 'datastore',
      observedValue: queue.redis.writable,
      ...(probe === 'redis' && detailsOf(queue)),
    }),
  );
  const checks = probe === 'redis' ? { 'redis:writable': redis } : queueChecks(queues, entry);
  // Well, there is nothing to say.
  return { status, ...(status !== 'pass' && { output: message }), checks };
}

function queueChecks(queues: readonly QueueHealth[], entry: (queue: QueueHealth, fields: object) => object) {
  const observed = (unit: string, read: (budget: BackupBudget) => number | undefined) =>
    queues.flatMap((queue) => {
      const observedValue = queue.backup && read(queue.backup);
      if (observedValue === undefined) return [];
      return entry(queue, { componentType: 'datastore', observedValue, observedUnit: unit });
    });
  const untilFull = observed('s', ({ secondsUntilFull }) => secondsUntilFull);
  return {
    'queue:state': queues.map((queue) =>
      entry(queue, { componentType: 'component', observedValue: queue.state, ...detailsOf(queue) }),
    ),
    'backup:pending': observed('jobs', ({ pending }) => pending),
    'backup:left': observed('jobs', ({ jobsLeft }) => jobsLeft),
    ...(untilFull.length > 0 && { 'backup:untilFull': untilFull }),
  };
}

function detailsOf({ report, error }: QueueHealth): object {
  return { ...(report && { report }), ...(error !== undefined && { output: error }) };
}
