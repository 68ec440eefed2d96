import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPostgresCatalog } from '../../src/catalog/postgres/postgres-catalog.ts'
import { openPostgresUnits } from '../../src/catalog/postgres/postgres-units.ts'
import { SeriesTable } from '../../src/model/series-table.ts'
import { systemClock } from '../../src/ports/clock.ts'
import { aBatch, TENANT } from '../../src/registry/registry.fixture.ts'
import { Registry } from '../../src/registry/registry.ts'
import { Units } from '../../src/registry/units.ts'
import { postgresServer, ownPostgres } from '../fixtures/servers.ts'
import { until } from '../fixtures/until.ts'

/** What one process has of the catalog. */
async function aProcess(url: string) {
  const options = {
    ...{ url, schema: 'weir', poolSize: 4, connectTimeoutMs: 2000 },
    ...{ idleTimeoutMs: 10_000, statementTimeoutMs: 10_000 },
  }
  const [catalog, store] = await Promise.all([
    openPostgresCatalog(options),
    openPostgresUnits(options),
  ])
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const clock = systemClock
  const registry = await Registry.open({
    ...{ catalog, clock, onError, table: new SeriesTable(), autoCreate: true },
    ...{ expectedIntervalMs: 60_000, offlineAfterIntervals: 3, startupGraceMs: 0 },
    ...{ flushIntervalMs: 1000, maxDevices: 100_000, maxProducts: 10 },
  })
  const units = await Units.open({ store, clock, onError })
  const send = (...devices: string[]): void => registry.see(aBatch(devices), Date.now())
  const close = async (): Promise<void> => {
    await registry.close()
    await units.close()
    await catalog.close()
    await store.close()
  }
  const ids = (): string[] =>
    registry.list(TENANT, {}, { limit: 100_000 }).devices.map(({ id }) => id)
  return { registry, units, errors, send, close, ids }
}

const unit = (device: string) => ({ tenant: TENANT, device, metric: 'temperature', unit: '°C' })

test(
  'a catalog server that is stopped for seconds, or killed, costs nothing that was met or declared',
  { skip: postgresServer().skip },
  async context => {
    const server = await ownPostgres(context)
    const [a, b] = await Promise.all([aProcess(server.address), aProcess(server.address)])
    await a.registry.create(TENANT, { id: 'declared', name: '1' })
    for (const [round, stop] of [() => server.stop(), () => server.kill()].entries()) {
      await stop()
      const fleet = Array.from({ length: 5000 }, (_, i) => `${round} ${i}`)
      a.send('declared', ...fleet.slice(0, 3000))
      b.send(...fleet.slice(2000))
      b.units.tell(unit(fleet[0]))
      const retryable = { kind: 'retryable' }
      await assert.rejects(a.registry.update(TENANT, 'declared', { site: 's' }), retryable)
      await assert.rejects(b.registry.create(TENANT, { id: 'refused' }), retryable)
      assert.equal(b.registry.get(TENANT, fleet[4999])?.status, 'online')
      await until('both have noticed', () => a.errors.length > round && b.errors.length > round)
      await server.start()
      const count = 5000 * (round + 1) + 1
      await until('a knows all', () => a.ids().length === count)
      await until('b knows all', () => b.ids().length === count)
      await until('a knows the unit', () => a.units.get(TENANT, fleet[0], 'temperature') === '°C')
    }
    await b.registry.update(TENANT, 'declared', { site: 's' })
    await Promise.all([a.close(), b.close()])
    const after = await aProcess(server.address)
    const { name, site, lastSeenMs } = after.registry.get(TENANT, 'declared')!
    assert.deepEqual([name, site], ['1', 's'])
    assert.ok(lastSeenMs !== undefined)
    assert.equal(after.registry.get(TENANT, 'refused'), undefined)
    assert.equal(after.ids().length, 10_001)
    await after.close()
  },
)
