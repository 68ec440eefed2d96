import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { dropSchema, NO_POSTGRES, poolOptions } from '../../../test/fixtures/postgres.ts'
import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import { anomaliesContract } from '../anomalies.contract.ts'
import { catalogContract } from '../catalog.contract.ts'
import { aDevice, devicesOf } from '../catalog.fixture.ts'
import type { Place } from '../contract-place.ts'
import { ledgerContract } from '../ledger.contract.ts'
import { unitsContract } from '../units.contract.ts'
import { openPostgresAnomalies } from './postgres-anomalies.ts'
import { openPostgresCatalog } from './postgres-catalog.ts'
import { openPostgresLedger } from './postgres-ledger.ts'
import { openPostgresUnits } from './postgres-units.ts'

/** A schema of its own, which goes with the test. */
function aSchema(): { options: PostgresOptions; cleanUp: () => Promise<void> } {
  const schema = `test_${randomBytes(6).toString('hex')}`
  return { options: poolOptions(schema), cleanUp: () => dropSchema(schema) }
}

function at<T>(open: (options: PostgresOptions) => Promise<T>): () => Promise<Place<T>> {
  return async () => {
    const { options, cleanUp } = aSchema()
    return { open: () => open(options), cleanUp }
  }
}

describe('in PostgreSQL', { skip: NO_POSTGRES }, () => {
  catalogContract('PostgreSQL', at(openPostgresCatalog))
  anomaliesContract('PostgreSQL', at(openPostgresAnomalies))
  unitsContract('PostgreSQL', at(openPostgresUnits))
  ledgerContract('PostgreSQL', at(openPostgresLedger))

  test('of processes that start at once on nothing, all find one schema', async context => {
    const { options, cleanUp } = aSchema()
    context.after(cleanUp)
    const opened = await Promise.all([
      openPostgresCatalog(options),
      openPostgresCatalog(options),
      openPostgresUnits(options),
      openPostgresAnomalies(options),
    ])
    await opened[0].createDevice(aDevice())
    assert.equal((await devicesOf(opened[1])).size, 1)
    for (const each of opened) await each.close()
  })

  test('who follows misses no change, however many processes change things at once', async context => {
    const { options, cleanUp } = aSchema()
    context.after(cleanUp)
    const catalogs = await Promise.all(
      Array.from({ length: 4 }, () => openPostgresCatalog(options)),
    )
    const [follower, ...writers] = catalogs
    const known = new Set<string>()
    let version = await follower.version()
    const follow = async (): Promise<void> => {
      const changes = await follower.changesSince(version)
      for (const { id } of changes.removals) known.delete(id)
      for (const { id } of changes.devices) known.add(id)
      version = changes.version
    }
    let writing = writers.length
    const write = async (catalog: (typeof writers)[number], writer: number): Promise<void> => {
      for (let round = 0; round < 25; round++) {
        const ids = Array.from({ length: 1 + (round % 3) }, (_, i) => `${writer} ${round} ${i}`)
        await catalog.addDevices(ids.map(id => aDevice({ id })))
        if (round % 4 === 0) await catalog.deleteDevice('default', ids[0], 1)
      }
      writing--
    }
    const done = Promise.all(writers.map(write))
    while (writing > 0) await follow()
    await done
    while (version < (await follower.version())) await follow()
    const ids = [...(await devicesOf(follower)).values()].map(({ id }) => id)
    assert.deepEqual([...known].sort(), ids.sort())
    for (const each of catalogs) await each.close()
  })
})
