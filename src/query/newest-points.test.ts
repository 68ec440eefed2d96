import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawRead, SeriesPoints } from '../ports/store.ts'
import { newestPoints } from './newest-points.ts'

const ALL_TIME = { start: 0, end: 2 ** 53 }

/** Series of points at multiples of their interval up to `END_US`, and how much each read gave. */
function storeOf(intervals: readonly number[]) {
  const given: number[] = []
  const read = async ({ select, range, limit }: RawRead): Promise<SeriesPoints[]> => {
    const found = intervals.flatMap((intervalUs, i) => {
      const times: number[] = []
      for (let at = END_US; at >= range.start && times.length < limit; at -= intervalUs)
        times.push(at)
      if (!select.devices.includes(`d${i}`) || times.length === 0) return []
      const timestamps = Float64Array.from(times)
      return [{ device: `d${i}`, metric: 'm', timestamps, values: timestamps }]
    })
    given.push(found.reduce((sum, { timestamps }) => sum + timestamps.length, 0))
    return found
  }
  return { read, given }
}

const END_US = 1_000_000_000

test('of series that send unequally no more is read than a few times what is asked for', async () => {
  // One of them sends a thousand times as often as the last.
  const intervals = Array.from({ length: 200 }, (_, i) => 1000 + i * 5000)
  const { read, given } = storeOf(intervals)
  const devices = intervals.map((_, i) => `d${i}`)
  const limit = 1000
  const request = { select: { tenant: 't', devices, metrics: [] }, range: ALL_TIME, limit }
  const points = await newestPoints({ read }, { ...request, share: limit / devices.length })
  const all = intervals.flatMap((intervalUs, i) =>
    Array.from({ length: limit }, (_, at) => ({
      device: `d${i}`,
      timeUs: END_US - at * intervalUs,
    })),
  )
  const expected = all
    .sort((a, b) => b.timeUs - a.timeUs || (a.device < b.device ? -1 : 1))
    .slice(0, limit)
  assert.deepEqual(
    points.map(({ device, timeUs }) => ({ device, timeUs })),
    expected,
  )
  assert.ok(Math.max(...given) <= 5 * limit, `${given.join(', ')} points`)
  assert.ok(given.length <= 6, `${given.length} reads`)
})
