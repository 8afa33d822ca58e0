/** Throws a `TypeError` for a client through which RQ's keys would land where no worker looks, or in no one place. */
export function checkRqClient(client: object): void {
  const { options, isCluster } = client as {
    readonly options?: { readonly keyPrefix?: unknown } | null;
    readonly isCluster?: unknown;
  };
  // ioredis and node-redis, in this order.
  if (isCluster === true || 'getMasters' in client) {
    throw new TypeError(
      'RqTransport cannot use a Redis Cluster: RQ keeps a job under keys of several slots, and its workers do not run there either. Give "redis" a client of the standalone Redis that the workers use.',
    );
  }
  if (typeof options?.keyPrefix === 'string' && options.keyPrefix !== '') {
    throw new TypeError(
      'RqTransport cannot use a client with a keyPrefix: no RQ worker would find the jobs. Give "redis" a client without one; other clients of yours may keep theirs.',
    );
  }
}
