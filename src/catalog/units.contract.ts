import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { UnitStore } from '../ports/units.ts'

/** An empty place for units, which outlives them; `open` is called again after a close. */
export interface UnitsFixture {
  open(): Promise<UnitStore>
  cleanUp(): Promise<void>
}

const of = (device: string, unit: string, tenant = 'default') => ({
  ...{ tenant, device, metric: 'temperature', unit },
})

/** What every store of units has to keep. */
export function unitsContract(name: string, place: () => Promise<UnitsFixture>): void {
  describe(`the ${name} units`, () => {
    test('units are replaced by key and outlive the process', async () => {
      const fixture = await place()
      const first = await fixture.open()
      assert.deepEqual(await first.all(), [])
      await first.save([of('a', '°F'), of('b', 'K'), of('a', '°C'), of('a', 'Ω "x"', 'other')])
      await first.save([of('b', 'µg/m³')])
      await first.save([])
      await first.close()
      const second = await fixture.open()
      const all = (await second.all()).map(each => JSON.stringify(each)).sort()
      const expected = [of('a', '°C'), of('b', 'µg/m³'), of('a', 'Ω "x"', 'other')]
      assert.deepEqual(all, expected.map(each => JSON.stringify(each)).sort())
      await second.close()
      await fixture.cleanUp()
    })
    test('refuses every call once it is closed, and may be closed again', async () => {
      const fixture = await place()
      const units = await fixture.open()
      await units.close()
      await units.close()
      await assert.rejects(units.all(), { kind: 'closed' })
      await assert.rejects(units.save([of('a', 'K')]), { kind: 'closed' })
      await fixture.cleanUp()
    })
  })
}
