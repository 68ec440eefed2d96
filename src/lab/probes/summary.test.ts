import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latencyOf, slopePerSecond } from './summary.ts'

const line = (of: (second: number) => number) =>
  Array.from({ length: 31 }, (_, second) => ({ atMs: 5000 + second * 1000, value: of(second) }))

test('the slope of a line is its rise a second, whatever the moments are', () => {
  const near = (actual: number, wanted: number): void =>
    assert.ok(Math.abs(actual - wanted) < 1e-9, `${actual} is not ${wanted}`)
  near(slopePerSecond(line(second => 7 + 3 * second)), 3)
  near(slopePerSecond(line(second => 900 - 12.5 * second)), -12.5)
  near(slopePerSecond(line(() => 42)), 0)
  const uneven = [0, 100, 2500, 2600, 9000].map(atMs => ({ atMs, value: atMs / 50 }))
  near(slopePerSecond(uneven), 20)
})

test('what swings without growing has nearly no slope', () => {
  const slope = slopePerSecond(line(second => (second % 2 === 0 ? 0 : 100)))
  assert.ok(Math.abs(slope) < 0.5, String(slope))
})

test('nothing and a single reading have no slope', () => {
  assert.equal(slopePerSecond([]), 0)
  assert.equal(slopePerSecond([{ atMs: 1, value: 5 }]), 0)
})

test('percentiles are values that occurred', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i)
  const { count, meanMs, p50Ms, p95Ms, p99Ms, maxMs } = latencyOf(values)
  assert.deepEqual([count, meanMs], [200, 100.5])
  assert.deepEqual([p50Ms, p95Ms, p99Ms, maxMs], [100, 190, 198, 200])
  assert.equal(latencyOf([3]).p99Ms, 3)
  assert.deepEqual(latencyOf([]), {
    ...{ count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 },
  })
})
