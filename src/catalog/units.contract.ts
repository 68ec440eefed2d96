import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { MetricUnit, UnitStore } from '../ports/units.ts'
import { checkAt, type Place } from './contract-place.ts'

const of = (device: string, unit: string, tenant = 'default') => ({
  ...{ tenant, device, metric: 'temperature', unit },
})

/** All that was saved after a version, by key: a unit that was replaced meanwhile comes again. */
async function savedSince(
  store: UnitStore,
  after: number,
): Promise<{ version: number; units: MetricUnit[] }> {
  const units = new Map<string, MetricUnit>()
  for (let version = after; ;) {
    const next = await store.since(version)
    if (next.version === version) return { version, units: [...units.values()] }
    for (const unit of next.units) units.set(`${unit.tenant} ${unit.device} ${unit.metric}`, unit)
    version = next.version
  }
}

const byText = (units: readonly MetricUnit[]): string[] =>
  units.map(each => JSON.stringify(each)).sort()

/** What every store of units has to keep. */
export function unitsContract(name: string, place: () => Promise<Place<UnitStore>>): void {
  const check = checkAt(place)
  describe(`the ${name} units`, () => {
    check('units are replaced by key and outlive the process', async (first, reopen) => {
      assert.deepEqual((await savedSince(first, 0)).units, [])
      await first.save([of('a', '°F'), of('b', 'K'), of('a', '°C'), of('a', 'Ω "x"', 'other')])
      await first.save([of('b', 'µg/m³')])
      await first.save([])
      const { units } = await savedSince(await reopen(), 0)
      const expected = [of('a', '°C'), of('b', 'µg/m³'), of('a', 'Ω "x"', 'other')]
      assert.deepEqual(byText(units), byText(expected))
    })
    check('tells only what was saved after a version', async store => {
      await store.save([of('a', 'K'), of('b', 'K')])
      const { version } = await savedSince(store, 0)
      assert.deepEqual(await store.since(version), { version, units: [] })
      await store.save([of('b', 'bar'), of('c', 'K')])
      const next = await savedSince(store, version)
      assert.deepEqual(byText(next.units), byText([of('b', 'bar'), of('c', 'K')]))
      assert.ok(next.version > version)
    })
    check('tells thousands, each of them', async store => {
      const many = Array.from({ length: 12_000 }, (_, i) => of(`d${i}`, 'K'))
      await store.save(many)
      assert.deepEqual(byText((await savedSince(store, 0)).units), byText(many))
    })
    check('refuses every call once it is closed, and may be closed again', async units => {
      await units.close()
      await units.close()
      await assert.rejects(units.since(0), { kind: 'closed' })
      await assert.rejects(units.save([of('a', 'K')]), { kind: 'closed' })
    })
  })
}
