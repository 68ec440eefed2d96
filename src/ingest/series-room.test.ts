import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryLog } from '../../test/fixtures/memory-log.ts'
import { testLimits } from '../../test/fixtures/decoded.ts'
import { openAccess } from '../model/access.ts'
import { pointCount } from '../model/batch.ts'
import { encodeFrame } from '../model/frame.ts'
import { SeriesTable } from '../model/series-table.ts'
import { IngestGate } from './gate.ts'
import { Ledger } from './ledger.ts'

function openGate(limits: { maxSeries: number; maxTenantSeries?: number }) {
  const ledger = new Ledger(0)
  const table = new SeriesTable()
  const log = memoryLog(({ batch }) => {
    ledger.handOver(batch.tenant, pointCount(batch))
    // As the consumers do.
    table.resolve(batch)
  })
  const gate = new IngestGate({
    ...{ log, table, ledger },
    clock: fakeClock(Date.UTC(2026, 10, 20)),
    limits: { ...testLimits, ...limits },
    devices: { admits: () => true, admitsNew: () => true },
  })
  return {
    /** One point of each metric; resolves with the details of what was refused. */
    async json(tenant: string, metrics: readonly string[]): Promise<string[]> {
      const { rejected } = await gate.ingest(openAccess(tenant), 'http', sink => {
        sink.message(sink.device('d')!, 1e6)
        for (const metric of metrics) sink.metric(metric, 1, '')
      })
      return rejected.map(({ reason, detail }) => `${reason}: ${detail}`)
    },
    async frame(tenant: string, metrics: readonly string[]): Promise<string[]> {
      const frame = encodeFrame({
        ...{ tenant, devices: ['d'], metrics },
        seriesDevice: new Uint32Array(metrics.length),
        seriesMetric: Uint32Array.from(metrics.keys()),
        seriesIndex: Uint32Array.from(metrics.keys()),
        timestamps: new Float64Array(metrics.length).fill(1e6),
        values: new Float64Array(metrics.length).fill(1),
      })
      const { rejected } = await gate.ingestFrame(openAccess(tenant), 'http', frame)
      return rejected.map(({ reason, detail }) => `${reason}: ${detail}`)
    },
  }
}

const OF_TENANT = 'limit: the tenant would have more than 2 series (limits.maxTenantSeries)'
const OF_ALL = 'limit: there would be more than 3 series (ingest.maxSeries)'

for (const form of ['json', 'frame'] as const) {
  test(`a tenant that has its series brings no more, and leaves room for others (${form})`, async () => {
    const gate = openGate({ maxSeries: 1000, maxTenantSeries: 2 })
    assert.deepEqual(await gate[form]('a', ['x', 'y']), [])
    assert.deepEqual(await gate[form]('a', ['z']), [OF_TENANT])
    assert.deepEqual(await gate[form]('a', ['x', 'y']), [], 'what it has goes on')
    assert.deepEqual(await gate[form]('b', ['x', 'z']), [])
  })

  test(`all tenants together have no more than the node (${form})`, async () => {
    const gate = openGate({ maxSeries: 3 })
    assert.deepEqual(await gate[form]('a', ['x', 'y']), [])
    assert.deepEqual(await gate[form]('b', ['x']), [])
    assert.deepEqual(await gate[form]('b', ['y']), [OF_ALL])
    assert.deepEqual(await gate[form]('a', ['x', 'y']), [])
  })
}
