import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch } from '../../model/batch.ts'
import { SeriesTable } from '../../model/series-table.ts'
import { SeriesSlots, SILENT_S } from './series-slots.ts'

/** A batch with a point of each series named, at a time in seconds. */
function batchOf(names: readonly string[], time: number): Batch {
  const unique = [...new Set(names)]
  return {
    tenant: 'default',
    devices: unique,
    metrics: ['m'],
    seriesDevice: Uint32Array.from(unique, (_, i) => i),
    seriesMetric: new Uint32Array(unique.length),
    seriesIndex: Uint32Array.from(unique, (_, i) => i),
    timestamps: new Float64Array(unique.length).fill(time * 1e6),
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
    see: (...names: string[]) => [...slots.slotsOf(batchOf(names, 0))],
    seeAt: (time: number, ...names: string[]) => [...slots.slotsOf(batchOf(names, time))],
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

test('beyond the bound a series that has been silent for an hour gives up its slot', () => {
  const { seeAt, slots, admitted } = slotsOf(3)
  seeAt(0, 'a')
  seeAt(1, 'b')
  seeAt(2, 'c')
  assert.deepEqual(seeAt(SILENT_S - 1, 'd', 'a'), [-1, 0])
  assert.equal(slots.evicted, 0)
  assert.deepEqual(seeAt(SILENT_S + 1, 'd'), [1])
  assert.deepEqual(seeAt(SILENT_S + 1, 'b'), [-1])
  assert.deepEqual(seeAt(SILENT_S + 2, 'b'), [2])
  assert.deepEqual(admitted, ['a:0', 'b:1', 'c:2', 'd:1', 'b:2'])
  assert.equal(slots.evicted, 2)
})

test('of more series than slots the first are watched for good', () => {
  const { seeAt, slots } = slotsOf(2)
  for (let time = 0; time < 10 * SILENT_S; time += SILENT_S / 2) {
    assert.deepEqual(seeAt(time, 'a', 'b', 'c', 'd'), [0, 1, -1, -1])
    assert.deepEqual(seeAt(time, 'c', 'd', 'a'), [-1, -1, 0])
  }
  assert.equal(slots.evicted, 0)
})

const batches = fc.array(
  fc.record({
    names: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 6 }),
    stepS: fc.constantFrom(0, 1, SILENT_S / 4, SILENT_S - 1, SILENT_S, -SILENT_S),
  }),
  { maxLength: 60 },
)

/** With the time of each. */
function timed(list: readonly { names: readonly number[]; stepS: number }[]) {
  let time = 0
  return list.map(({ names, stepS }) => {
    time = Math.max(0, time + stepS)
    return { names: [...new Set(names)].map(String), time }
  })
}

test('who is watched is what a plain list of last uses says', () => {
  fc.assert(
    fc.property(batches, fc.integer({ min: 1, max: 8 }), (list, max) => {
      const { seeAt } = slotsOf(max)
      const used = new Map<string, { slot: number; at: number }>()
      let clock = 0
      for (const { names, time } of timed(list)) {
        clock = Math.max(clock, time)
        const expected = names.map(name => {
          let own = used.get(name)
          if (own === undefined) {
            let slot = used.size
            if (used.size === max) {
              const [victim] = [...used]
                .filter(([, use]) => use.at <= clock - SILENT_S)
                .sort(([, a], [, b]) => a.at - b.at || a.slot - b.slot)
              if (victim === undefined) return -1
              slot = victim[1].slot
              used.delete(victim[0])
            }
            own = { slot, at: clock }
            used.set(name, own)
          }
          own.at = clock
          return own.slot
        })
        assert.deepEqual(seeAt(time, ...names), expected)
      }
    }),
  )
})

test('restored slots go on as if nothing had happened', () => {
  fc.assert(
    fc.property(batches, fc.nat(60), fc.integer({ min: 1, max: 8 }), (list, cut, max) => {
      const all = timed(list)
      const whole = slotsOf(max)
      const first = slotsOf(max)
      const second = slotsOf(max)
      const expected = all.map(({ names, time }) => whole.seeAt(time, ...names))
      const seen = all.slice(0, cut).map(({ names, time }) => first.seeAt(time, ...names))
      const series = first
        .names()
        .map(name => second.table.series(second.table.device('default', name), 'm'))
      second.slots.restore(series, first.slots.usedAt().slice(), first.slots.clock)
      for (const { names, time } of all.slice(cut)) seen.push(second.seeAt(time, ...names))
      assert.deepEqual(seen, expected)
      assert.deepEqual(second.names(), whole.names())
    }),
  )
})
