import Type from 'typebox'

const SECOND = 1000
const DAY = 86_400 * SECOND

const text = (value: string, description: string) => Type.String({ default: value, description })
const count = (value: number, description: string, minimum = 1) =>
  Type.Integer({ default: value, minimum, description })
const duration = (value: number, description: string, minimum: number) =>
  Type.Integer({ default: value, minimum, unit: 'ms', description })

/** The section `kafka`, beside where its brokers are. */
export const kafkaOptions = {
  topic: Type.String({
    default: 'weir',
    pattern: '^[a-zA-Z0-9._-]{1,200}$',
    description: 'The topic of the log; its dead letters are in `TOPIC.dead-letters`.',
  }),
  partitions: Type.Integer({
    default: 8,
    minimum: 1,
    maximum: 4096,
    description:
      'Partitions of a topic that Weir makes: no more processors share the work. A topic that is there keeps its own.',
  }),
  replication: count(
    0,
    'Copies of a topic that Weir makes; 3 for a cluster that loses nothing with a broker. 0: as the brokers do.',
    0,
  ),
  minInsyncReplicas: count(
    0,
    'Copies that must have a record before it is acknowledged, of a topic that Weir makes; 2 of 3. 0: as the brokers do.',
    0,
  ),
  retentionMs: duration(
    7 * DAY,
    'How long a topic that Weir makes keeps records, stored or not: the longest time that the store may be away.',
    60 * SECOND,
  ),
  clientId: Type.String({
    default: 'weir',
    pattern: '^\\S+$',
    description: 'What brokers call this program in their logs and quotas.',
  }),
  appendTimeoutMs: duration(
    10 * SECOND,
    'How long points are tried to be written before their sender gets 503.',
    100,
  ),
  requestTimeoutMs: duration(
    5 * SECOND,
    'How long a broker may take for one request, connecting included.',
    100,
  ),
  sessionTimeoutMs: duration(
    10 * SECOND,
    'After this silence the partitions of a processor are given to others; the brokers bound it (6 s to 30 min).',
    1000,
  ),
  maxFetchBytes: Type.Integer({
    default: 8 << 20,
    minimum: 64 * 1024,
    unit: 'bytes',
    description: 'Records that a consumer reads at once from a broker.',
  }),
  tls: Type.Object(
    {
      enabled: Type.Boolean({ default: false, description: 'Whether brokers are reached by TLS.' }),
      caFile: text('', 'PEM file with the authorities of the brokers. Empty: the usual.'),
      certFile: text('', "PEM file with Weir's own certificate, for brokers that ask for one."),
      keyFile: text('', 'PEM file with its private key.'),
    },
    { additionalProperties: false, description: 'TLS to the brokers.' },
  ),
  sasl: Type.Object(
    {
      mechanism: Type.Enum(['none', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], {
        default: 'none',
        description: 'How Weir proves who it is.',
      }),
      username: text('', 'Its name.'),
      password: Type.String({
        default: '',
        writeOnly: true,
        description: 'Its password; or one of the next two.',
      }),
      passwordFile: text('', 'File with the password.'),
      passwordEnv: text('', 'Environment variable with the password.'),
    },
    { additionalProperties: false, description: 'Login at the brokers.' },
  ),
}
