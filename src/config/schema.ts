import Type from 'typebox'
import type { Static, TObject, TProperties } from 'typebox'
import { bridge } from './bridge-schema.ts'
import { kafkaOptions } from './kafka-schema.ts'
import { natsOptions } from './nats-schema.ts'

/**
 * Every option of Weir: its type, default, bounds and meaning. Everything else is made from this:
 * flags, environment variables, the checks and docs/reference/configuration.md.
 *
 * `unit: 'bytes'` also takes `64MB`, `unit: 'ms'` also takes `5m`; both arrive as numbers.
 */

const MB = 1024 * 1024
const SECOND = 1000
const DAY = 86_400 * SECOND

const section = <T extends TProperties>(description: string, properties: T): TObject<T> =>
  Type.Object(properties, { additionalProperties: false, description })

const text = (value: string, description: string) =>
  Type.String({ default: value, minLength: 1, description })
const flag = (value: boolean, description: string) => Type.Boolean({ default: value, description })
const choice = <T extends string>(names: readonly [T, ...T[]], description: string) =>
  Type.Enum<T[]>(names, { default: names[0], description })
const count = (value: number, description: string, minimum = 1) =>
  Type.Integer({ default: value, minimum, description })
const bytes = (value: number, description: string, minimum = 1024) =>
  Type.Integer({ default: value, minimum, unit: 'bytes', description })
const duration = (value: number, description: string, minimum = 1) =>
  Type.Integer({ default: value, minimum, unit: 'ms', description })
const number = (value: number, description: string, minimum = 0) =>
  Type.Number({ default: value, minimum, description })
const bounded = <T>(minimum: number, maximum: number, { value, ...rest }: Bounded<T>) =>
  Type.Integer({ default: value, minimum, maximum, ...rest })
const address = (value: string, description: string) =>
  Type.String({ default: value, format: 'address', description })

/** A url that may have a password in it. */
const secret = (format: 'postgres-url' | 'redis-url', description: string) =>
  Type.String({ default: '', format, writeOnly: true, description })

const certificates = {
  certFile: Type.String({
    default: '',
    description:
      'PEM file with the certificate and those between it and its authority. Empty: no TLS.',
  }),
  keyFile: Type.String({ default: '', description: 'PEM file with its private key.' }),
  caFile: Type.String({
    default: '',
    description: 'PEM file with the authorities of client certificates.',
  }),
  requestCert: flag(false, 'Whether clients need a certificate of `caFile`, besides a key.'),
}

const texts = (values: string[], description: string) =>
  Type.Array(Type.String({ minLength: 1 }), { default: values, description })

interface Bounded<T> {
  readonly value: T
  readonly description: string
  readonly unit?: 'ms'
}

/** The same option for one of several: without a default, because it falls back to that of all. */
function ownOf<T extends ReturnType<typeof number> | ReturnType<typeof count>>(option: T) {
  const { default: _, ...rest } = option as T & { default: number }
  return Type.Optional(rest as unknown as T)
}

const topic = section('A topic whose messages are points.', {
  template: Type.String({
    format: 'topic-template',
    description:
      'The topic, with `{device_id}`, optionally `{site}`, `{metric}` and `{name}` for a level that is ignored.',
  }),
  path: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Where the value is in a JSON payload, as names joined by dots (`reading.value`). Absent: the whole payload.',
    }),
  ),
})

const WINDOW_MOST = 1024
const rolling = {
  window: bounded(2, WINDOW_MOST, {
    value: 60,
    description: 'Values of a series that its rolling average is made of; 8 bytes each.',
  }),
  warmup: bounded(2, WINDOW_MOST, {
    value: 30,
    description: 'Values that a series must have had before one is judged.',
  }),
  zScore: number(5, 'Standard deviations from the rolling average that are an anomaly.', 1),
  deviationPct: number(
    0,
    'Percent of the rolling average by which a value is an anomaly in any case; 0: none is.',
  ),
  minDeviationPct: number(
    1,
    'Percent of the rolling average that are no anomaly, however quiet the series is.',
  ),
  maxPerWindow: count(
    5,
    'Anomalies told of a series while its window fills once; further ones are counted only.',
  ),
}

const metricRule = section('How the values of some metrics are judged.', {
  match: Type.String({
    minLength: 1,
    description: 'The name of the metric; `*` stands for any characters.',
  }),
  watch: Type.Optional(Type.Boolean({ description: 'False: these metrics are not watched.' })),
  window: ownOf(rolling.window),
  warmup: ownOf(rolling.warmup),
  zScore: ownOf(rolling.zScore),
  deviationPct: ownOf(rolling.deviationPct),
  minDeviationPct: ownOf(rolling.minDeviationPct),
  maxPerWindow: ownOf(rolling.maxPerWindow),
})

export const configSchema = section('The configuration of a Weir node.', {
  data: text('./weir-data', 'Folder that holds everything Weir keeps. Created when missing.'),
  insecure: flag(
    false,
    'Allows listening beyond loopback without keys. Anyone who reaches the port may then read and write.',
  ),
  shutdownTimeoutMs: duration(
    30 * SECOND,
    'How long a stop may take before the process gives up waiting and exits.',
  ),
  startTimeoutMs: duration(
    60 * SECOND,
    'How long a start waits for servers that do not answer yet, such as a database.',
    0,
  ),
  role: choice(
    ['all', 'gateway', 'processor'],
    'What this process is: `gateway`: the doors. `processor`: from the log to the store. `all`: both. Apart they need a log, a store and a catalog that they share (docs/guides/scaling.md).',
  ),
  processes: section('Worker processes on one machine, and how many.', {
    min: count(1, 'Processes that serve the doors, at least.'),
    max: count(1, 'Processes that serve the doors, at most. 1: no worker processes.'),
    targetCpuPct: bounded(1, 100, {
      value: 70,
      description: 'Percent of a core that each is to use: their number follows from it.',
    }),
    cooldownMs: duration(30 * SECOND, 'After a change of their number, how long the next waits.'),
    drainMs: duration(
      5 * SECOND,
      'How long a worker that is replaced or not needed any more still answers its connections.',
      0,
    ),
    processors: count(
      0,
      'Processor processes besides them, which then are gateways. 0: each process is both.',
      0,
    ),
  }),
  http: section('The HTTP door.', {
    address: address('127.0.0.1:8080', 'Where HTTP listens. Port 0 takes a free one.'),
    reusePort: flag(
      false,
      'Lets several nodes that are started separately listen at this address of one machine (Linux).',
    ),
    maxConnections: count(10_000, 'Open HTTP connections; further ones are closed at once.'),
    maxBufferedBytes: bytes(
      256 * MB,
      'Bodies being received or unpacked, over all requests; past it: 503.',
      1 * MB,
    ),
    tls: section('HTTPS in place of HTTP. Files that change are read again.', certificates),
  }),
  mqtt: section('The MQTT door: the embedded broker.', {
    enabled: flag(true, 'Whether the broker runs.'),
    address: address('127.0.0.1:1883', 'Where MQTT listens. Port 0 takes a free one.'),
    plain: flag(true, 'Whether it listens there, without TLS.'),
    tls: section('MQTT over TLS, at a port of its own. Files that change are read again.', {
      address: address('127.0.0.1:8883', 'Where it listens, when there is a certificate.'),
      ...certificates,
    }),
    maxConnections: count(10_000, 'Connected MQTT clients; further ones are refused.'),
    maxPacketBytes: bytes(1 * MB, 'Largest MQTT packet; a client that sends a larger one is cut.'),
    topics: Type.Array(topic, {
      default: [{ template: 'plant/{site}/{device_id}/{metric}' }],
      description: 'Telemetry topics besides `devices/…` and `iot/data`, first match wins.',
    }),
    bridges: Type.Array(bridge, {
      default: [],
      description: 'Outside brokers to take telemetry from (docs/guides/bridge.md).',
    }),
  }),
  auth: section('Who may come in.', {
    mode: choice(
      ['open', 'keys'],
      '`open`: no key needed, loopback only. `keys`: every request carries a key, see `weir keys`.',
    ),
    maxKeys: count(100_000, 'Keys of all tenants, with those that ended within the last 30 days.'),
    openMetrics: flag(
      false,
      'Whether `/metrics`, which counts what all tenants do, needs no key although others do.',
    ),
  }),
  limits: section('How much may come, so that nobody takes it all. 0: no limit.', {
    keyRequestsPerSecond: count(
      0,
      'Requests or MQTT messages of a key that says nothing else. Past it HTTP answers 429 and MQTT reads slower.',
      0,
    ),
    keyPointsPerSecond: count(0, 'Points of a key that says nothing else; likewise.', 0),
    devicePointsPerSecond: count(
      0,
      'Points of each device, whoever sends them; likewise. Imports are free of it.',
      0,
    ),
    maxTenantSeries: count(
      0,
      'Series of each tenant, so that none takes all of `ingest.maxSeries`; further ones are refused.',
      0,
    ),
    burstMs: duration(
      10 * SECOND,
      'What may come at once: as much as the rate brings in this time.',
    ),
    engine: choice(
      ['memory', 'redis'],
      'Where the limits of keys are counted: `memory` is each process for itself, `redis` all that share it together. Those of devices are counted by each process.',
    ),
  }),
  log: section('The durable log between the doors and the store.', {
    engine: choice(
      ['embedded', 'none', 'kafka', 'nats'],
      'Which log: `embedded` is files in the data folder, `kafka` a topic of `kafka.brokers`, `nats` streams of `nats.servers`; with `none` a request waits until the store has committed.',
    ),
    maxBytes: bytes(
      4096 * MB,
      'Bytes that may wait in the log for the store; past it writes are refused.',
      16 * MB,
    ),
  }),
  store: section('Where points live.', {
    engine: choice(
      ['blocks', 'postgres'],
      'Which store: `blocks` is compressed blocks in the data folder, `postgres` tables in PostgreSQL.',
    ),
    postgres: section('The store in PostgreSQL; where it is, `postgres` says.', {
      writes: choice(
        ['merged', 'single'],
        '`merged`: all that waits is one transaction. `single`: each request is one, to compare with.',
      ),
      compressAfterMs: duration(
        7 * DAY,
        'Where the server has TimescaleDB: chunks are compressed when their points are so old.',
      ),
      retentionMs: duration(0, 'Partitions whose points are all older are dropped; 0: none.', 0),
    }),
    headBytes: bytes(128 * MB, 'Memory for points that are not in blocks yet.', 1 * MB),
    maxPendingBytes: bytes(
      16 * MB,
      'Bytes handed to the store that it has not taken yet; past it the log waits, and queries wait no longer than for so much.',
      1 * MB,
    ),
    flushIntervalMs: duration(
      5 * 60 * SECOND,
      'Longest time that points stay in memory only.',
      100,
    ),
    partitionMs: duration(
      DAY,
      'Time span of one file or partition; retention deletes whole ones.',
      60 * SECOND,
    ),
  }),
  cache: section('Answers kept for a while.', {
    engine: choice(
      ['memory', 'redis', 'tiered'],
      'Which cache: `memory` is in this process, `redis` is shared by processes, `tiered` is memory in front of Redis.',
    ),
    maxBytes: bytes(64 * MB, 'Memory of this process for cached answers.'),
    queryTtlMs: duration(
      0,
      'How long a query answer may be reused while no points of its devices are written; 0 asks the store each time.',
      0,
    ),
    latestTtlMs: duration(
      0,
      'The same for latest values, where they are read from the store: without a log they are not kept in memory.',
      0,
    ),
  }),
  catalog: section('Devices, products, keys and anomalies.', {
    engine: choice(
      ['sqlite', 'postgres'],
      '`sqlite` is a file in the data folder, `postgres` a server that several processes share.',
    ),
  }),
  postgres: section('The PostgreSQL server of every part that is kept in one.', {
    url: secret(
      'postgres-url',
      '`postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Empty: Weir starts one, with its data in the data folder.',
    ),
    schema: Type.String({
      default: 'weir',
      pattern: '^[a-z_][a-z0-9_]{0,62}$',
      description: 'The schema of that database in which everything of Weir is kept.',
    }),
    poolSize: count(
      15,
      'Connections of this process at most, of the store and of the catalog each. 0: two for each processor core of this machine and one more, 4 to 32.',
      0,
    ),
    connectTimeoutMs: duration(
      5 * SECOND,
      'Longest wait for a connection, whether it has to be made or to become free.',
    ),
    idleTimeoutMs: duration(60 * SECOND, 'A connection that nobody used for so long is closed.'),
    statementTimeoutMs: duration(
      30 * SECOND,
      'Statements that take longer are broken off; 0: none.',
      0,
    ),
  }),
  redis: section('The Redis server of every part that is kept in one.', {
    url: secret(
      'redis-url',
      '`redis://:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` with TLS. Empty: Weir starts the `redis-server` of this machine.',
    ),
    commandTimeoutMs: bounded(5, 250, {
      value: 100,
      unit: 'ms',
      description:
        'How long Redis is waited for; past it the store answers, and after some such it is left alone for a while.',
    }),
    keyPrefix: text(
      'weir:',
      'What all keys and channels begin with. Processes that share data have the same; other Weirs at the same server have others.',
    ),
  }),
  kafka: section('The Kafka cluster of every part that is kept in one.', {
    brokers: Type.Array(Type.String({ format: 'address' }), {
      default: [],
      description:
        '`HOST:PORT` of some of its brokers. Empty: Weir starts one of `kafka.home`, on Java 17 or later.',
    }),
    home: Type.String({
      default: '',
      description:
        'Folder of an installed Kafka 4 (the one that has `libs`), for a broker that Weir starts. Empty: that of `KAFKA_HOME`.',
    }),
    ...kafkaOptions,
  }),
  nats: section('The NATS servers of every part that is kept in them.', {
    servers: Type.Array(Type.String({ format: 'nats-server', writeOnly: true }), {
      default: [],
      description:
        '`nats://USER:PASSWORD@HOST:PORT` or `HOST:PORT` of some of them. Empty: Weir starts the `nats-server` of this machine, with its streams in the data folder.',
    }),
    ...natsOptions,
  }),
  ingest: section('What the doors accept.', {
    tenant: text('default', 'Tenant of requests that name none.'),
    maxBodyBytes: bytes(64 * MB, 'Largest request body as sent.'),
    maxDecompressedBytes: bytes(128 * MB, 'Largest gzip body once unpacked.'),
    maxPointsPerRequest: count(1_000_000, 'Points in one request.'),
    maxDepth: count(8, 'Levels of nested objects in one message.'),
    commit: choice(
      ['merged', 'single'],
      '`merged`: requests that come while others are being made durable share the next write. `single`: each is written by itself, to compare with.',
    ),
    maxAppends: bounded(1, 1000, {
      value: 15,
      description: 'Requests that are written at once with `commit: single`; further ones wait.',
    }),
    maxPendingBytes: bytes(32 * MB, 'Bytes accepted but not durable yet; past it: 503 or no read.'),
    maxSeries: count(2_000_000, 'Series (device and metric) that this node knows.'),
    maxDevices: count(500_000, 'Devices that this node knows.'),
    maxTextBytes: bytes(64 * 1024, 'Longest text value.', 1),
    maxFutureMs: duration(DAY, 'How far ahead of the clock a point may be.', 0),
    autoCreateDevices: flag(true, 'Registers a device when its first point arrives.'),
  }),
  influx: section('InfluxDB line protocol.', {
    deviceTags: texts(
      ['device_id', 'device', 'host'],
      'Tags that may name the device; of several in a line the first of these does.',
    ),
    defaultMeasurement: text(
      'telemetry',
      'The measurement whose metrics are named like their fields, not `measurement.field`.',
    ),
    ignoredTags: texts(
      ['host', 'site', 'location', 'region', 'datacenter', 'dc', 'rack'],
      "Tags that only describe the device. Any other tag is part of the metric's name.",
    ),
  }),
  devices: section('Devices and their products.', {
    maxProducts: count(10_000, 'Products that this node knows, of all tenants.'),
    expectedIntervalMs: duration(
      60 * SECOND,
      'How often a device is expected to send, unless it or its product says.',
    ),
    offlineAfterIntervals: count(3, 'Intervals without a message until a device is offline.'),
    startupGraceMs: duration(
      60 * SECOND,
      'After a start no device goes offline for this long, so that a restart raises nothing.',
      0,
    ),
  }),
  query: section('Bounds of reads.', {
    defaultLimit: count(1000, 'Points of a page when the request names no limit.'),
    maxLimit: count(100_000, 'Largest limit that a request may name.'),
    maxDevices: count(1000, 'Devices in one query.'),
    maxPoints: count(2_000_000, 'Points in one answer, over all series.'),
    maxBuckets: count(1_000_000, 'Buckets in one answer, over all series.'),
    timeoutMs: duration(30 * SECOND, 'Longest time for one query; then 503.', 10),
  }),
  live: section('The live stream.', {
    replayBytes: bytes(16 * MB, 'Memory of recent points, for clients that reconnect.'),
    maxSubscribers: count(1000, 'Open live streams.'),
  }),
  analytics: section('What watches every series for unusual values.', {
    enabled: flag(true, 'Whether points are watched.'),
    ...rolling,
    metrics: Type.Array(metricRule, {
      default: [],
      description: 'Settings of their own for some metrics; the first that matches counts.',
    }),
    maxSeries: bounded(1, 2 ** 20, {
      value: 100_000,
      description:
        'Series that are watched at once; a further one is when one of them has been silent for an hour.',
    }),
    maxPerSecond: count(1000, 'Anomalies kept in one second; further ones are counted only.'),
    maxAnomalies: count(100_000, 'Anomalies kept of a tenant; the oldest go first.'),
    retentionMs: duration(90 * DAY, 'How long an anomaly is kept, by the time of its point.'),
    snapshotIntervalMs: duration(
      30 * SECOND,
      'How often the state is written, from which a restart goes on; the log is kept until then.',
      100,
    ),
  }),
  transfer: section('Exports and imports.', {
    maxRunning: count(4, 'Exports and imports at once; past it: 503.'),
    maxSpoolBytes: bytes(
      2048 * MB,
      'Largest Parquet file of an import, which waits in the data folder.',
      1 * MB,
    ),
  }),
  plan: section('Capacity plans.', {
    calibration: Type.String({
      default: '',
      description:
        'A result of `weir lab run` (its folder), or a file of `weir plan --save`, that `POST /api/v1/capacity` plans with. Empty: by rule of thumb only.',
    }),
  }),
  logging: section('Log lines, on standard error.', {
    level: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      default: 'info',
      description: 'The least important level that is written.',
    }),
    format: choice(
      ['auto', 'json', 'pretty'],
      '`json`: one object a line. `pretty`: for people. `auto`: pretty on a terminal.',
    ),
  }),
})

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

/** What the rest of Weir is given: complete, checked, deep-frozen. `data` is an absolute path. */
export type Config = DeepReadonly<Static<typeof configSchema>>
