import Type from 'typebox'

const SECOND = 1000

const text = (value: string, description: string) => Type.String({ default: value, description })
const duration = (value: number, description: string, minimum: number) =>
  Type.Integer({ default: value, minimum, unit: 'ms', description })

/** The section `nats`, beside where its servers are. */
export const natsOptions = {
  prefix: Type.String({
    default: 'weir',
    pattern: '^[a-zA-Z0-9_-]+(\\.[a-zA-Z0-9_-]+)*$',
    description:
      'Before the subjects and streams of the log (`PREFIX.log.0`, `PREFIX-log-0`). Nodes with the same one share a log.',
  }),
  partitions: Type.Integer({
    default: 8,
    minimum: 1,
    maximum: 256,
    description:
      'Streams among which devices are divided: no more processors share the work. Never fewer than there are already.',
  }),
  replicas: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 5,
    description: 'Copies of each stream in a cluster; 3 lose nothing with a server.',
  }),
  requestTimeoutMs: duration(
    5 * SECOND,
    'How long points are tried to be written before their sender gets 503, and how long a server may take for anything.',
    100,
  ),
  sessionTimeoutMs: duration(
    5 * SECOND,
    'After this silence the partitions of a processor are taken by others.',
    500,
  ),
  trimDelayMs: duration(
    60 * SECOND,
    'How long entries stay in the log that every consumer has done with: a node that starts needs them.',
    0,
  ),
  monitorUrl: Type.String({
    default: '',
    pattern: '^(https?://\\S+)?$',
    description:
      "The servers' monitoring (`http://HOST:8222`), where Weir looks whether they write to their disks before they acknowledge. Empty: it cannot.",
  }),
  user: text('', 'Who Weir is to the servers, if their addresses do not say.'),
  password: Type.String({ default: '', writeOnly: true, description: 'Its password.' }),
  token: Type.String({ default: '', writeOnly: true, description: 'A token in place of both.' }),
  credsFile: text('', "File with a user's JWT and seed (`nsc generate creds`)."),
  tls: Type.Object(
    {
      enabled: Type.Boolean({
        default: false,
        description: 'Whether servers must be reached by TLS, as with `tls://` in an address.',
      }),
      caFile: text('', 'PEM file with the authorities of the servers. Empty: the usual.'),
      certFile: text('', "PEM file with Weir's own certificate, for servers that ask for one."),
      keyFile: text('', 'PEM file with its private key.'),
    },
    { additionalProperties: false, description: 'TLS to the servers.' },
  ),
}
