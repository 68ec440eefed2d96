/**
 * The log on NATS alone, in this process: `npm run bench -- nats`, or `node bench/nats.bench.ts`. The
 * server is that of WEIR_TEST_NATS_URL, else one of its own on this machine, whose cores it shares.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NatsLog, type NatsLogOptions } from '../src/log/nats/nats-log.ts'
import { provideNats } from '../src/provide/nats-server.ts'
import { sharedLogFigures } from './shared-log.ts'

const PARTITIONS = 8

const directory = await mkdtemp(join(tmpdir(), 'weir-bench-nats-'))
const given = process.env['WEIR_TEST_NATS_URL'] ?? ''
const report = (message: string): void => console.error(message)
const own = given === '' ? await provideNats({ directory, report }) : undefined
const options: NatsLogOptions = {
  servers: (own?.address ?? given).split(','),
  ...{ user: '', password: '', token: '', credsFile: '', monitorUrl: '' },
  tls: { enabled: false, caFile: '', certFile: '', keyFile: '' },
  ...{ prefix: `weir-bench-${randomUUID()}`, partitions: PARTITIONS, replicas: 1 },
  // Everything is kept until it is read.
  ...{ maxBytes: 16 * 1024 ** 3, trimDelayMs: 60_000, leaseMs: 5000, requestTimeoutMs: 20_000 },
  onWarning: report,
}
try {
  await sharedLogFigures(PARTITIONS, () => NatsLog.open(options))
} finally {
  await own?.stop()
  await rm(directory, { recursive: true, force: true })
}
