import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'

import { JsonWriter } from '../kit/json-writer.ts'
import type { SeriesPoints } from '../ports/store.ts'
import { writeRows } from './rows.ts'

const points = (metric: string, entries: [number, number | string][]): SeriesPoints => ({
  device: 'd',
  metric,
  timestamps: Float64Array.from(entries, ([time]) => time),
  values: Float64Array.from(entries, ([, value]) => (typeof value === 'number' ? value : NaN)),
  texts: entries.map(([, value]) => (typeof value === 'string' ? value : undefined)),
})

function mergeRows(series: readonly SeriesPoints[], page: Parameters<typeof writeRows>[2]) {
  const writer = new JsonWriter()
  const end = writeRows(writer, series, page)
  return { json: writer.take().toString(), ...end }
}

test('series of one device become one row a time, with what each has there', () => {
  const rows = mergeRows(
    [
      points('a', [
        [1e6, 1],
        [3e6, -0],
      ]),
      points('b"', [
        [1e6, 'on'],
        [2e6, 5],
      ]),
    ],
    { limit: 10, order: 'asc' },
  )
  assert.equal(
    rows.json,
    '[{"timestamp":"1970-01-01T00:00:01.000Z","a":1,"b\\"":"on"},' +
      '{"timestamp":"1970-01-01T00:00:02.000Z","b\\"":5},' +
      '{"timestamp":"1970-01-01T00:00:03.000Z","a":-0}]',
  )
  assert.equal(rows.count, 3)
  assert.equal(rows.moreAfterUs, undefined)
})

test('no rows are an empty array', () => {
  assert.deepEqual(mergeRows([], { limit: 5, order: 'asc' }), {
    json: '[]',
    count: 0,
    moreAfterUs: undefined,
  })
})

test('paging through rows in either order gives every point once', () => {
  const series = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 20 })
  fc.assert(
    fc.property(
      fc.array(series, { maxLength: 4 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom('asc', 'desc'),
      (times, limit, order) => {
        const sign = order === 'asc' ? 1 : -1
        const seen: string[] = []
        let from = -Infinity
        for (let page = 0; page < 50; page++) {
          const rest = times.map((list, s) => {
            const sorted = list.map(t => sign * t).filter(t => t > from)
            sorted.sort((x, y) => x - y)
            return points(
              `m${s}`,
              sorted.slice(0, limit + 1).map(t => [sign * t, sign * t]),
            )
          })
          const rows = mergeRows(rest, { limit, order })
          for (const row of JSON.parse(rows.json) as Record<string, unknown>[]) {
            for (const name in row) if (name !== 'timestamp') seen.push(`${name}@${row[name]}`)
          }
          if (rows.moreAfterUs === undefined) break
          from = sign * rows.moreAfterUs
        }
        const all = times.flatMap((list, s) => list.map(t => `m${s}@${t}`))
        assert.deepEqual(seen.toSorted(), all.toSorted())
      },
    ),
  )
})
