import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foreignPages } from './foreign-pages.ts'

test('pages of other origins are foreign, programs and own pages are not', () => {
  const isForeign = foreignPages([])
  const own = [
    { host: '127.0.0.1:8080' },
    { host: 'localhost:8080', origin: 'http://localhost:8080' },
    { host: 'LocalHost:8080', origin: 'http://localhost:8080' },
    { host: '[::1]:8080', origin: 'https://[::1]:8080' },
    { host: '192.168.1.5', origin: 'http://192.168.1.5' },
    {},
  ]
  for (const headers of own) assert.equal(isForeign(headers), false, JSON.stringify(headers))
  const foreign = [
    { host: '127.0.0.1:8080', origin: 'https://evil.example' },
    { host: '127.0.0.1:8080', origin: 'http://127.0.0.1:3000' },
    { host: 'localhost:8080', origin: 'http://127.0.0.1:8080' },
    { host: '127.0.0.1:8080', origin: 'null' },
    { host: '127.0.0.1:8080', origin: '' },
    { origin: 'https://evil.example' },
  ]
  for (const headers of foreign) assert.equal(isForeign(headers), true, JSON.stringify(headers))
})

test('a name that somebody has let point here is foreign, whatever the origin', () => {
  const isForeign = foreignPages(['weir.example'])
  for (const host of [
    'weir.example',
    'weir.example:8080',
    'Weir.Example.',
    'weir',
    'a.localhost',
  ]) {
    assert.equal(isForeign({ host }), false, host)
  }
  for (const host of ['evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example']) {
    assert.equal(isForeign({ host }), true, host)
    assert.equal(isForeign({ host, origin: `http://${host}` }), true, host)
  }
  const anyName = foreignPages(undefined)
  assert.equal(anyName({ host: 'evil.example' }), false)
  assert.equal(anyName({ host: 'evil.example', origin: 'http://evil.example' }), false)
  assert.equal(anyName({ host: 'a.example', origin: 'http://evil.example' }), true)
})
