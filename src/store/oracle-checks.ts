import assert from 'node:assert/strict'
import { aggregated, bucketsOf, type TimedValue } from '../../test/fixtures/point-model.ts'
import type { Aggregate, SeriesSelector, Store } from '../ports/store.ts'
import type { Oracle } from './oracle.ts'

/** Compares what a store answers with what the oracle says. For tests only. */
export interface Checked {
  readonly store: Store
  readonly oracle: Oracle
}

export interface CheckedRange {
  readonly select: SeriesSelector
  readonly start: number
  readonly end: number
}

type Named = { readonly device: string; readonly metric: string }

export async function checkRaw(
  { store, oracle }: Checked,
  { select, start, end }: CheckedRange,
  { limit, order }: { limit: number; order: 'asc' | 'desc' },
): Promise<void> {
  const answer = await store.read({ select, range: { start, end }, limit, order })
  const expected = oracle.select(select, start, end)
  assert.deepEqual(namesOf(answer), namesOf(expected))
  for (const { device, metric, points } of expected) {
    const found = one(answer, device, metric)
    const wanted = (order === 'asc' ? points : points.toReversed()).slice(0, limit)
    const { timestamps, values, texts } = found
    const rows = [...timestamps].map((timeUs, i) => ({ timeUs, value: texts?.[i] ?? values[i] }))
    assert.deepEqual(rows, wanted, `${device}/${metric} ${order} ${start}..${end} limit ${limit}`)
  }
}

export async function checkBuckets(
  { store, oracle }: Checked,
  { select, start, end }: CheckedRange,
  { intervalUs, aggregates }: { intervalUs: number; aggregates: readonly Aggregate[] },
): Promise<void> {
  const answer = await store.buckets({ select, range: { start, end }, intervalUs, aggregates })
  const expected = oracle
    .select(select, start, end)
    .map(series => ({ ...series, buckets: bucketsOf(series.points, intervalUs) }))
    .filter(({ buckets }) => buckets.size > 0)
  assert.deepEqual(namesOf(answer), namesOf(expected))
  for (const { device, metric, buckets } of expected) {
    const found = one(answer, device, metric)
    const what = `${device}/${metric} by ${intervalUs}`
    assert.deepEqual([...found.timestamps], [...buckets.keys()], what)
    assert.equal(found.columns.length, aggregates.length)
    aggregates.forEach((aggregate, i) => {
      ;[...buckets.values()].forEach((values, bucket) => {
        checkAggregate(found.columns[i][bucket], values, { aggregate, what })
      })
    })
  }
}

function checkAggregate(
  found: number,
  values: readonly number[],
  { aggregate, what }: { aggregate: Aggregate; what: string },
): void {
  const wanted = aggregated(values, aggregate)
  // The oracle adds in the plainest way, so its sums are rounded; the others are exact.
  const isSum = aggregate === 'sum' || aggregate === 'avg'
  const size = values.reduce((a, b) => a + Math.abs(b), 0)
  const close = isSum && Math.abs(found - wanted) <= 1e-12 * size
  assert.ok(close || found === wanted, `${what} ${aggregate}: ${found}, not ${wanted}`)
}

export async function checkDownsample(
  { store, oracle }: Checked,
  { select, start, end }: CheckedRange,
  maxPoints: number,
): Promise<void> {
  const answer = await store.downsample({ select, range: { start, end }, maxPoints })
  const expected = oracle
    .select(select, start, end)
    .map(series => ({ ...series, points: series.points.filter(p => typeof p.value === 'number') }))
    .filter(({ points }) => points.length > 0)
  assert.deepEqual(namesOf(answer), namesOf(expected))
  for (const { device, metric, points } of expected) {
    const { timestamps, values } = one(answer, device, metric)
    assert.equal(timestamps.length, Math.min(maxPoints, points.length))
    const byTime = new Map(points.map(point => [point.timeUs, point.value]))
    timestamps.forEach((time, i) => {
      assert.equal(values[i], byTime.get(time), 'a point that is not in the series')
      if (i > 0) assert.ok(time > timestamps[i - 1], 'times rise')
    })
    assert.equal(timestamps[0], points[0].timeUs)
    assert.equal(timestamps.at(-1), points.at(-1)?.timeUs)
  }
}

/** After a flush: everything is durable, so `latest` is complete and every point is settled. */
export async function checkSettled({ store, oracle }: Checked): Promise<void> {
  const found = new Map<string, TimedValue>()
  for await (const chunk of store.latest()) {
    chunk.devices.forEach((device, i) => {
      const key = JSON.stringify([chunk.tenants[i], device, chunk.metrics[i]])
      assert.ok(!found.has(key), `${key} twice`)
      found.set(key, { timeUs: chunk.timestamps[i], value: chunk.texts[i] ?? chunk.values[i] })
    })
  }
  assert.deepEqual(byKey(found), byKey(oracle.newest()))
  const { stored, duplicate, unsettled, series } = await store.stats()
  assert.deepEqual(
    { stored, duplicate, unsettled, series },
    {
      stored: oracle.distinct,
      duplicate: oracle.written - oracle.distinct,
      unsettled: 0,
      series: oracle.seriesCount,
    },
  )
}

/** At any time: the counts add up to what was written, and none is too high. */
export async function checkCounts({ store, oracle }: Checked): Promise<void> {
  const { stored, duplicate, unsettled } = await store.stats()
  assert.equal(stored + duplicate + unsettled, oracle.written)
  assert.ok(stored <= oracle.distinct, `${stored} stored of ${oracle.distinct}`)
  assert.ok(duplicate <= oracle.written - oracle.distinct, `${duplicate} duplicates`)
}

function byKey(points: Map<string, TimedValue>): [string, TimedValue][] {
  return [...points].sort(([a], [b]) => (a < b ? -1 : 1))
}

function namesOf(series: readonly Named[]): string[] {
  return series.map(({ device, metric }) => `${device}/${metric}`).sort()
}

function one<T extends Named>(series: readonly T[], device: string, metric: string): T {
  const found = series.filter(one => one.device === device && one.metric === metric)
  assert.equal(found.length, 1, `${device}/${metric} once`)
  return found[0]
}
