import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeeper, mergePatch } from './merge-patch.ts'

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>

test('patches give the results of RFC 7396, appendix A', () => {
  const cases: [string, string, string][] = [
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ]
  for (const [target, patch, result] of cases) {
    assert.equal(JSON.stringify(mergePatch(json(target), json(patch))), result)
  }
})

test('a member named __proto__ is data and reaches no prototype', () => {
  const merged = mergePatch({}, json('{"__proto__":{"polluted":1},"constructor":{"x":2}}'))
  assert.equal(JSON.stringify(merged), '{"__proto__":{"polluted":1},"constructor":{"x":2}}')
  assert.equal(Object.getPrototypeOf(merged), Object.prototype)
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

test('the arguments stay as they were', () => {
  const target = json('{"a":{"b":1}}')
  mergePatch(target, json('{"a":{"b":null}}'))
  assert.deepEqual(target, { a: { b: 1 } })
})

test('depth is counted through objects and arrays, and bottomless values end no stack', () => {
  assert.equal(isDeeper(1, 0), false)
  assert.equal(isDeeper({ a: [{ b: 1 }] }, 3), false)
  assert.equal(isDeeper({ a: [{ b: 1 }] }, 2), true)
  assert.equal(isDeeper(JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)), 32), true)
})
