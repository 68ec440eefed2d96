import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Directory } from './directory.ts'

test('a directory equals a sorted set after any adds, removals and looks', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 2 })
  const step = fc.record({ add: fc.boolean(), look: fc.boolean(), name })
  const property = fc.property(fc.array(step, { maxLength: 100 }), name, (steps, pivot) => {
    const directory = new Directory()
    const model = new Set<string>()
    for (const { add, look, name } of steps) {
      if (add && !model.has(name)) {
        directory.add(name)
        model.add(name)
      } else if (!add) {
        directory.remove(name)
        model.delete(name)
      }
      if (look) directory.names()
    }
    const sorted = [...model].sort()
    assert.deepEqual(directory.names(), sorted)
    const after = sorted.findIndex(other => other > pivot)
    assert.equal(directory.indexAfter(pivot), after === -1 ? sorted.length : after)
  })
  fc.assert(property)
})
