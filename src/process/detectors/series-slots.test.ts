import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch } from '../../model/batch.ts'
import { SeriesTable } from '../../model/series-table.ts'
import { SeriesSlots } from './series-slots.ts'

/** A batch with a point of each series named. */
function batchOf(names: readonly string[]): Batch {
  const unique = [...new Set(names)]
  return {
    tenant: 'default',
    devices: unique,
    metrics: ['m'],
    seriesDevice: Uint32Array.from(unique, (_, i) => i),
    seriesMetric: new Uint32Array(unique.length),
    seriesIndex: Uint32Array.from(unique, (_, i) => i),
    timestamps: new Float64Array(unique.length),
    values: new Float64Array(unique.length),
  }
}

function slotsOf(maxSlots: number) {
  const table = new SeriesTable()
  const admitted: string[] = []
  let grown = 0
  const slots = new SeriesSlots({
    table,
    maxSlots,
    onGrow: count => (grown = count),
    onAdmit: (slot, series) => admitted.push(`${table.deviceOf(series).name}:${slot}`),
  })
  return {
    slots,
    table,
    admitted,
    grown: () => grown,
    see: (...names: string[]) => [...slots.slotsOf(batchOf(names))],
    names: () =>
      Array.from({ length: slots.count }, (_, slot) => table.deviceOf(slots.seriesAt(slot)).name),
  }
}

test('a series keeps its slot while there is room', () => {
  const { see, slots, admitted, grown } = slotsOf(2000)
  assert.deepEqual(see('a', 'b'), [0, 1])
  assert.deepEqual(see('c', 'a'), [2, 0])
  assert.deepEqual(admitted, ['a:0', 'b:1', 'c:2'])
  assert.ok(grown() >= 3)
  see(...Array.from({ length: 2000 }, (_, i) => `x${i}`))
  assert.equal(slots.count, 2000)
  assert.equal(grown(), 2000)
})

test('beyond the bound the series seen longest ago gives up its slot', () => {
  const { see, slots, admitted } = slotsOf(3)
  see('a')
  see('b')
  see('c')
  see('a')
  assert.deepEqual(see('d'), [1])
  assert.deepEqual(see('b'), [2])
  assert.deepEqual(admitted, ['a:0', 'b:1', 'c:2', 'd:1', 'b:2'])
  assert.equal(slots.evicted, 2)
})

test('a batch with more series than slots watches the first of them', () => {
  const { see, slots } = slotsOf(2)
  assert.deepEqual(see('a', 'b', 'c', 'd'), [0, 1, -1, -1])
  assert.equal(slots.evicted, 0)
  assert.deepEqual(see('c', 'd', 'a'), [0, 1, -1])
})

const batches = fc.array(
  fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 6 }),
  { maxLength: 60 },
)

test('who is watched is what a plain list of last uses says', () => {
  fc.assert(
    fc.property(batches, fc.integer({ min: 1, max: 8 }), (names, max) => {
      const { see } = slotsOf(max)
      const used = new Map<string, { slot: number; at: number }>()
      names.forEach((batch, at) => {
        const unique = [...new Set(batch)].map(String)
        const expected = unique.map(name => {
          let own = used.get(name)
          if (own === undefined) {
            let slot = used.size
            if (used.size === max) {
              const [victim] = [...used]
                .filter(([, use]) => use.at < at)
                .sort(([, a], [, b]) => a.at - b.at || a.slot - b.slot)
              if (victim === undefined) return -1
              slot = victim[1].slot
              used.delete(victim[0])
            }
            own = { slot, at }
            used.set(name, own)
          }
          own.at = at
          return own.slot
        })
        assert.deepEqual(see(...unique), expected)
      })
    }),
  )
})

test('restored slots go on as if nothing had happened', () => {
  fc.assert(
    fc.property(batches, fc.nat(60), fc.integer({ min: 1, max: 8 }), (names, cut, max) => {
      const whole = slotsOf(max)
      const first = slotsOf(max)
      const second = slotsOf(max)
      const expected = names.map(batch => whole.see(...batch.map(String)))
      const seen = names.slice(0, cut).map(batch => first.see(...batch.map(String)))
      const series = first
        .names()
        .map(name => second.table.series(second.table.device('default', name), 'm'))
      second.slots.restore(series, first.slots.usedAt().slice(), first.slots.tick)
      for (const batch of names.slice(cut)) seen.push(second.see(...batch.map(String)))
      assert.deepEqual(seen, expected)
      assert.deepEqual(second.names(), whole.names())
    }),
  )
})
