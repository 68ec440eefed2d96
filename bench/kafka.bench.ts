/**
 * The log on Kafka alone, in this process: `npm run bench -- kafka`, or `node bench/kafka.bench.ts`. The
 * broker is that of WEIR_TEST_KAFKA_BROKERS, else one of its own on this machine, whose two cores it shares.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KafkaLog, type KafkaLogOptions } from '../src/log/kafka/kafka-log.ts'
import { pointCount, type EncodedBatch } from '../src/model/batch.ts'
import { BatchSplitter } from '../src/model/batch-split.ts'
import { provideKafka } from '../src/provide/kafka-server.ts'
import { entryOf, sharedLogFigures } from './shared-log.ts'

const PARTITIONS = 8

function splitting(name: string, entries: readonly EncodedBatch[]): void {
  const splitter = new BatchSplitter({ partitions: PARTITIONS })
  let points = 0
  const start = performance.now()
  while (performance.now() < start + 500) {
    for (const { batch, frame } of entries) {
      // Names as they come from a door, where no dictionary comes twice.
      const fresh = { ...batch, seriesDevice: batch.seriesDevice.slice() }
      splitter.split([{ batch: name.includes('again') ? batch : fresh, frame }])
      points += pointCount(batch)
    }
  }
  const perPoint = (1e6 * (performance.now() - start)) / points
  console.log(`divided, ${name}: ${perPoint.toFixed(0)} ns a point`)
}

const directory = await mkdtemp(join(tmpdir(), 'weir-bench-kafka-'))
const given = process.env['WEIR_TEST_KAFKA_BROKERS'] ?? ''
const report = (message: string): void => console.error(message)
const own = given === '' ? await provideKafka({ directory, report, home: '' }) : undefined
const options: KafkaLogOptions = {
  connection: {
    brokers: (own?.address ?? given).split(','),
    ...{ clientId: 'weir-bench', requestTimeoutMs: 10_000 },
  },
  ...{ topic: `weir-bench-${randomUUID()}`, partitions: PARTITIONS, retentionMs: 3_600_000 },
  ...{ replication: 0, minInsyncReplicas: 0, maxFetchBytes: 8 << 20 },
  ...{ appendTimeoutMs: 20_000, openTimeoutMs: 60_000, sessionTimeoutMs: 10_000 },
}
try {
  splitting('20 000 points of 1000 devices', [entryOf(20_000, 1000)])
  splitting('20 000 points of 1000 devices, names that come again', [entryOf(20_000, 1000)])
  splitting('100 points of 25 devices', [entryOf(100, 25)])
  await sharedLogFigures(PARTITIONS, () => KafkaLog.open(options))
} finally {
  await own?.stop()
  await rm(directory, { recursive: true, force: true })
}
