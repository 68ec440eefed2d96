import Type from 'typebox'

const DAY = 86_400_000

const optionalText = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, description }))
const duration = (value: number, description: string, minimum: number) =>
  Type.Integer({ default: value, minimum, unit: 'ms', description })

const tls = Type.Object(
  {
    caFile: optionalText(
      'Authorities that the broker may be certified by, PEM. Absent: the usual.',
    ),
    certFile: optionalText("Weir's own certificate, PEM, for brokers that ask for one."),
    keyFile: optionalText('The key of that certificate, PEM.'),
    serverName: optionalText(
      "The name in the broker's certificate, where it is not the url's host.",
    ),
    alpn: optionalText('Protocol to negotiate; AWS IoT Core on port 443: `x-amzn-mqtt-ca`.'),
    rejectUnauthorized: Type.Boolean({
      default: true,
      description: '`false` takes any certificate: anyone between may then read and change all.',
    }),
  },
  { additionalProperties: false, description: 'TLS, for `mqtts://` and `wss://`.' },
)

const topic = Type.Object(
  {
    filter: Type.Optional(
      Type.String({
        format: 'topic-filter',
        description:
          'An MQTT filter whose topics the embedded broker knows: `devices/#`, `iot/data`, or as `mqtt.topics` says.',
      }),
    ),
    template: Type.Optional(
      Type.String({
        format: 'topic-template',
        description: 'Or a template, as in `mqtt.topics`; subscribed to with + in place of names.',
      }),
    ),
    path: optionalText('With a template: where the value is in a JSON payload (`reading.value`).'),
  },
  { additionalProperties: false, description: 'Messages to take from the broker.' },
)

/** One item of `mqtt.bridges`. */
export const bridge = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$',
      description: 'Its name in logs and metrics.',
    }),
    url: Type.String({
      format: 'broker-url',
      description: '`mqtt://HOST:PORT`, `mqtts://…`, `ws://…/mqtt` or `wss://…`.',
    }),
    version: Type.Enum(['v5', 'v3.1.1'], { default: 'v5', description: 'Version of MQTT.' }),
    clientId: Type.String({
      minLength: 1,
      description:
        'The broker keeps what comes meanwhile under it: it stays the same for ever, and each node has its own.',
    }),
    username: optionalText('User name at the broker.'),
    password: Type.Optional(
      Type.String({ writeOnly: true, description: 'Its password; or one of the next two.' }),
    ),
    passwordFile: optionalText('File with the password.'),
    passwordEnv: optionalText('Environment variable with the password.'),
    tls,
    topics: Type.Array(topic, {
      default: [{ filter: 'devices/+/+' }, { filter: 'iot/data' }],
      description: 'What is subscribed to.',
    }),
    share: Type.Optional(
      Type.String({
        pattern: '^[^/+#]+$',
        description:
          'Group of a shared subscription: each message goes to one bridge of the group. Absent: this bridge gets all.',
      }),
    ),
    qos: Type.Integer({
      default: 1,
      minimum: 0,
      maximum: 1,
      description: '1: nothing is lost. 0: what is on its way when a connection breaks is.',
    }),
    retained: Type.Boolean({
      default: false,
      description:
        'Whether old messages that the broker sends with a subscription are points. Without a time of their own they would be as of now.',
    }),
    sessionExpiryMs: duration(
      7 * DAY,
      'How long the broker keeps messages for a bridge that is away (v5; with v3.1.1 the broker decides).',
      1000,
    ),
    keepAliveMs: duration(30_000, 'Longest silence before the connection is tested.', 1000),
    maxInFlightMessages: Type.Integer({
      default: 2000,
      minimum: 1,
      maximum: 65_535,
      description:
        'Messages that may wait for the log; the broker is then not read (v5: Receive Maximum).',
    }),
    tenant: optionalText('Tenant of its points. Absent: `ingest.tenant`.'),
  },
  { additionalProperties: false, description: 'A bridge to an outside broker.' },
)
