import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { firstRate, planBlocks } from './blocks.ts'
import { FULL_PHASES, QUICK_PHASES } from './phases.ts'

const solutions = ['baseline', 'tune', 'queue'].map(id => ({ id }))
const profiles = ['mixed', 'read-heavy']

test('every block has every cell once, in an order of its own that the seed decides', () => {
  const plan = { seed: 3, blocks: 4, solutions, profiles }
  const blocks = planBlocks(plan)
  const names = blocks.map(block => block.map(({ solution, profile }) => `${solution} ${profile}`))
  for (const cells of names) {
    assert.equal(new Set(cells).size, solutions.length * profiles.length)
    assert.deepEqual([...cells].sort(), [...names[0]].sort())
  }
  assert.ok(new Set(names.map(cells => cells.join())).size > 1)
  assert.deepEqual(planBlocks(plan), blocks)
})

test('first rates are spread over one step of the precision, and the same for the same seed', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(FULL_PHASES, QUICK_PHASES), (seed, phases) => {
      const cells = planBlocks({ seed, blocks: 20, solutions, profiles }).flat()
      const steps = cells.map(cell => firstRate(seed, cell, phases) / phases.startRate)
      for (const step of steps) assert.ok(step >= 1 && step < 1 + phases.precision, String(step))
      const spread = Math.max(...steps) - Math.min(...steps)
      assert.ok(spread > 0.7 * phases.precision, `${spread} of ${phases.precision}`)
      assert.deepEqual(
        cells.map(cell => firstRate(seed, cell, phases) / phases.startRate),
        steps,
      )
    }),
  )
})
