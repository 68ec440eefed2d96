import assert from 'node:assert/strict'
import { test } from 'node:test'
import { targetOf } from './lab-target.ts'

test('what runs already is named by where it is', () => {
  assert.deepEqual(targetOf({ url: 'http://plant:8080' }), { url: 'http://plant:8080' })
  assert.deepEqual(targetOf({ url: 'http://[::1]:8080/' }), { url: 'http://[::1]:8080' })
})

test('an address that the load would not go to is refused', () => {
  for (const rest of ['/weir', '/weir/', '//', '/?tenant=a', '/#top']) {
    const url = `http://plant:8080${rest}`
    assert.throws(() => targetOf({ url }), { message: /without a path, not "http:\/\/plant/ })
  }
  for (const url of ['https://plant:8080', 'plant:8080', 'nonsense']) {
    assert.throws(() => targetOf({ url }), { message: /must be an http:\/\/ address/ })
  }
  assert.throws(() => targetOf({ url: 'http://plant', topology: 'tune' }), /exclude each other/)
})
