import type { FailureCause } from '../doctor-report.js';

/** What each fault of a connection is called, and what to do about it. */
export const stageCauses: Readonly<
  Record<FailureCause, { readonly value: string; readonly remedy: string }>
> = {
  'name-not-found': {
    value: 'the name of the host does not resolve',
    remedy: 'Look for a typing error in the host; a name of a private network resolves only inside it.',
  },
  'name-server-silent': {
    value: 'the name server does not answer',
    remedy: "Look at this machine's DNS (/etc/resolv.conf, the cluster's CoreDNS): Redis may be well.",
  },
  refused: {
    value: 'the port refuses connections: the machine is there, and nothing listens on this port',
    remedy: 'Check the port, whether Redis runs, and whether it listens on this address (`bind`).',
  },
  unreachable: {
    value: 'there is no way to this address',
    remedy: "Check routes, VPN and peering: this machine's network has no way to the host.",
  },
  'black-hole': {
    value:
      'nothing answers to the connection, not even a refusal: a firewall drops it, or the machine is off',
    remedy:
      'Check firewall, security group and network policy for this port, from this machine; then the host.',
  },
  'tls-to-plain-port': {
    value: 'TLS is spoken to a port that is plain',
    remedy: 'Use redis:// instead of rediss://, or the port on which Redis has TLS.',
  },
  'plain-to-tls-port': {
    value: 'the port wants TLS, and plain was spoken',
    remedy: 'Use rediss:// instead of redis:// (in a configuration: tls), or the plain port.',
  },
  certificate: {
    value: "the server's certificate is not trusted",
    remedy:
      'Name the authority that signed it (NODE_EXTRA_CA_CERTS=ca.pem), use the host name it is for, or renew it if it is out of date.',
  },
  'client-certificate': {
    value: 'the server wants a certificate from its clients',
    remedy: 'Give the client `tls: { cert, key }`, or set tls-auth-clients no on the server.',
  },
  'tls-failed': {
    value: 'the TLS handshake failed',
    remedy: 'Check that the port speaks TLS, and which versions of it (tls-protocols).',
  },
  'wrong-password': {
    value: 'Redis refuses this user and password',
    remedy:
      "Compare user and password with the server's (a password in a URL must be percent-encoded); look whether it was changed.",
  },
  'password-missing': {
    value: 'Redis wants a password, and none was given',
    remedy: 'Give one: redis://user:password@host:port (before Redis 6 without a user).',
  },
  'password-not-expected': {
    value:
      'a password was given, and this Redis has none: anybody may use it, or it is another Redis than meant',
    remedy: 'Check that this is the Redis you mean; set a password on it (requirepass, or ACL SETUSER).',
  },
  'no-answer': {
    value: 'the port accepts the connection, and nothing answers: Redis hangs, or something between swallows',
    remedy:
      'On its machine: is redis-server stopped (SIGSTOP, state T), swapping, or busy with one long command? Then look at proxies between.',
  },
  closed: {
    value: 'the connection was accepted and closed without an answer',
    remedy:
      'A proxy without its Redis, a Redis that is just ending, or another protocol: look at what listens there.',
  },
  'max-clients': {
    value: 'Redis has as many clients as it takes (maxclients)',
    remedy: 'Find who holds the connections (CLIENT LIST), end leaked ones, or raise maxclients.',
  },
  'protected-mode': {
    value: 'Redis is in protected mode: it takes only clients of its own machine while it has no password',
    remedy: 'Set a password and `bind`; do not simply turn protected-mode off.',
  },
  loading: {
    value: 'Redis is loading its data after a start',
    remedy: 'Wait; INFO persistence says how long (loading_eta_seconds). Jobs wait in the backup meanwhile.',
  },
  database: {
    value: 'this database cannot be selected',
    remedy:
      'Use a number below `databases` (16 by default); Redis Cluster and some services have only 0. A user needs +select for any but 0.',
  },
  'not-redis': {
    value: 'something answers that is no Redis',
    remedy: 'Check host and port: another service listens there.',
  },
  'client-not-ready': {
    value: 'the client has no connection at present',
    remedy:
      "Look at the client's `error` events, and run the doctor with its URL: it names the stage that fails.",
  },
};
