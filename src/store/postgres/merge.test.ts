import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoreEntry } from '../../ports/store.ts'
import { batchOf, TestLog, type TestPoint } from '../test-log.ts'
import { mergeEntries, type MergeOptions } from './merge.ts'

const SERIES = 1000
const TENANT = 't'

/** What is known of a thousand series that have no points yet; the later the slot, the lower the id. */
function indexOf(): MergeOptions['index'] {
  return {
    ids: Float64Array.from({ length: SERIES }, (_, slot) => SERIES - slot),
    newest: new Float64Array(SERIES).fill(-1),
    counts: new Uint32Array(SERIES),
    tenantOf: () => TENANT,
  }
}

function entry(points: readonly TestPoint[]): StoreEntry {
  return new TestLog().append(batchOf(TENANT, points))
}

const at = (device: string, time: number, value: number): TestPoint => ({
  ...{ device, metric: 'm', time, value },
})

test('points go by series and time, each key once, however few of the series have some', () => {
  const index = indexOf()
  const entries = [
    entry([at('a', 20, 1), at('b', 10, 2), at('a', 10, 3)]),
    entry([at('b', 30, 4), at('a', 20, 5)]),
  ]
  // `a` is slot 7, `b` is slot 900.
  const slots = [Uint32Array.of(7, 900), Uint32Array.of(900, 7)]
  const merge = (): ReturnType<typeof mergeEntries> =>
    mergeEntries(entries, { index, slots, spanUs: 1000 })
  const { fresh, late, latest, tenants } = merge()
  assert.deepEqual([...fresh.ids], [100, 100, 993, 993])
  assert.deepEqual([...fresh.timestamps], [10, 30, 10, 20])
  assert.deepEqual([...fresh.values], [2, 4, 3, 5])
  assert.deepEqual([...late.ids], [])
  assert.deepEqual([...latest.values], [4, 5])
  assert.deepEqual(tenants.get(TENANT), { points: 5, fresh: 4 })
  // Nothing of it is left over for the next ones, but what is known of the newest points.
  const again = merge()
  assert.deepEqual([...again.fresh.ids], [])
  assert.deepEqual([...again.late.values], [2, 4, 3, 5])
  assert.deepEqual([...again.latest.values], [4, 5])
  assert.ok(index.counts.every(count => count === 0))
})
