import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FilterTree } from './filter-tree.ts'

/** MQTT 3.1.1, chapter 4.7, the slow and obvious way. */
function isMatch(filter: string, topic: string): boolean {
  const pattern = filter
    .split('/')
    .map((level, i) => {
      if (level === '#') return i === 0 ? '.*' : '(/.*)?'
      const text = level === '+' ? '[^/]*' : level
      return i === 0 ? text : `/${text}`
    })
    .join('')
  return new RegExp(`^${pattern}$`).test(topic)
}

const level = fc.constantFrom('a', 'b', '', 'cc')
const topic = fc.array(level, { minLength: 1, maxLength: 5 }).map(levels => levels.join('/'))
const filter = fc
  .tuple(
    fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom([], ['#']),
  )
  .map(([levels, rest]) => [...levels, ...rest].join('/'))

test('a filter tree finds what the rules of MQTT say, through additions and removals', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), filter), { maxLength: 30 })
  fc.assert(
    fc.property(steps, fc.array(topic, { maxLength: 10 }), (changes, topics) => {
      const tree = new FilterTree<string>()
      const present = new Set<string>()
      for (const [isAdded, name] of changes) {
        if (isAdded) {
          tree.add(name, name)
          present.add(name)
        } else {
          tree.remove(name, name)
          present.delete(name)
        }
      }
      for (const name of topics) {
        const expected = [...present].filter(candidate => isMatch(candidate, name))
        assert.deepEqual(tree.match(name).toSorted(), expected.toSorted())
        assert.equal(tree.matches(name), expected.length > 0)
      }
    }),
  )
})

test('removing what was added leaves an empty tree', () => {
  const tree = new FilterTree<number>()
  tree.add('a/+/#', 1)
  tree.add('a/+/#', 2)
  tree.remove('a/+/#', 1)
  assert.deepEqual(tree.match('a/b'), [2])
  tree.remove('a/+/#', 2)
  tree.remove('never/there', 2)
  assert.equal(tree.matches('a/b'), false)
})
