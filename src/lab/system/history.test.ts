import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labWorkload } from '../../../test/fixtures/lab-workload.ts'
import { decodeFrame } from '../../model/frame.ts'
import { deviceName, historyFrames, historyPoints } from './history.ts'

const nowMs = Date.UTC(2026, 0, 1)
const workload = labWorkload(300, 400)

test('the history has every point of every series once, before now, in its range', () => {
  const seen = new Set<string>()
  let last = 0
  for (const frame of historyFrames(workload, { seed: 9, nowMs })) {
    const batch = decodeFrame(frame)
    batch.timestamps.forEach((timestamp, i) => {
      const series = batch.seriesIndex[i]
      const device = batch.devices[batch.seriesDevice[series]]
      const metric = batch.metrics[batch.seriesMetric[series]]
      const { min, max, decimals } = workload.metrics[metric]
      const value = batch.values[i]
      assert.ok(value >= min && value <= max && value === Number(value.toFixed(decimals)))
      assert.ok(timestamp < nowMs * 1000)
      last = Math.max(last, timestamp)
      seen.add(`${device} ${metric} ${timestamp}`)
    })
  }
  assert.equal(seen.size, historyPoints(workload))
  assert.equal(seen.size, 300 * 2 * 400)
  assert.ok(nowMs * 1000 - last < 5_000_000)
  assert.equal(deviceName(workload, 42), 'device-00042')
})

test('every point is off the whole milliseconds by as much as the moment is', () => {
  for (const micros of [0, 1, 347, 999]) {
    const draw = { seed: 9, nowMs: nowMs + micros / 1000 }
    for (const frame of historyFrames(labWorkload(3, 40), draw)) {
      const { timestamps } = decodeFrame(frame)
      assert.deepEqual(new Set([...timestamps].map(at => at % 1000)), new Set([micros]))
    }
  }
})

test('the same seed makes the same history, another seed another one', () => {
  const of = (seed: number): string =>
    [...historyFrames(workload, { seed, nowMs })]
      .map(frame => Buffer.from(frame).toString('base64'))
      .join()
  assert.equal(of(9), of(9))
  assert.notEqual(of(9), of(10))
})
