import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideScale, type ScalingPolicy } from './autoscale.ts'

const policy: ScalingPolicy = { min: 1, max: 8, targetCpuPct: 70, cooldownMs: 30_000 }
const decide = (current: number, cpuPct: number, agoMs = Infinity) =>
  decideScale(policy, { current, cpuPct, nowMs: 0, changedMs: -agoMs })

test('load above the target adds as many processes as it needs, at once', () => {
  assert.deepEqual(decide(1, 100), { processes: 2, why: 'above target' })
  assert.deepEqual(decide(2, 210), { processes: 6, why: 'above target' })
  assert.deepEqual(decide(4, 100), { processes: 6, why: 'above target' })
})

test('load below the target takes one process away at a time', () => {
  assert.deepEqual(decide(6, 5), { processes: 5, why: 'below target' })
  assert.deepEqual(decide(2, 30), { processes: 1, why: 'below target' })
})

test('around the target nothing changes', () => {
  assert.deepEqual(decide(3, 75), { processes: 3, why: 'on target' })
  assert.deepEqual(decide(3, 64), { processes: 3, why: 'on target' })
  // ceil: three at 60 % would be more than 70 % each for two.
  assert.deepEqual(decide(3, 60), { processes: 3, why: 'on target' })
})

test('the bounds hold, also for a number that is beyond them', () => {
  assert.deepEqual(decide(8, 500), { processes: 8, why: 'at the bound' })
  assert.deepEqual(decide(1, 0), { processes: 1, why: 'at the bound' })
})

test('within the cool-down nothing changes, in either direction', () => {
  assert.deepEqual(decide(2, 200, 29_999), { processes: 2, why: 'cooling down' })
  assert.deepEqual(decide(2, 10, 29_999), { processes: 2, why: 'cooling down' })
  assert.deepEqual(decide(2, 200, 30_000), { processes: 6, why: 'above target' })
})

test('under a load that stays the same the number settles and never swings', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 8 }),
    fc.double({ min: 0, max: 1000, noNaN: true }),
    (start, work) => {
      let current = start
      const seen: number[] = []
      for (let round = 0; round < 20; round++) {
        const cpuPct = Math.min(100, work / current)
        current = decideScale(policy, {
          ...{ current, cpuPct, nowMs: 0, changedMs: -Infinity },
        }).processes
        seen.push(current)
      }
      assert.ok(seen.every(count => count >= policy.min && count <= policy.max))
      assert.equal(new Set(seen.slice(-5)).size, 1, `swings: ${seen.join(' ')}`)
    },
  )
  fc.assert(property, { numRuns: 500 })
})
