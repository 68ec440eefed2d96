import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { deviceIdProblem, MAX_NAME_BYTES, nameProblem } from './names.ts'

test('names that people have are good device ids and metric names', () => {
  const names = [
    'Device A',
    'äöü',
    'a.b:c',
    'Pump #3',
    'x+y',
    '+49 171',
    '泵-1',
    '🌡️',
    '__proto__',
    '0',
    '$x',
    '...',
  ]
  for (const name of names) {
    assert.equal(nameProblem(name), undefined, name)
    assert.equal(deviceIdProblem(name), undefined, name)
  }
})

test('a metric name may hold slashes and be a wildcard, a device id may not', () => {
  for (const name of ['plant/line 1/temperature', '/', '.', '..', '+', '#']) {
    assert.equal(nameProblem(name), undefined, name)
    assert.match(deviceIdProblem(name) ?? '', /^must not /, name)
  }
})

test('each broken name is refused with its own reason by both rules', () => {
  const broken: [string, RegExp][] = [
    ['', /empty/],
    [' ', /white space/],
    ['\u00a0\u2003', /white space/],
    ['a\0b', /control/],
    ['a\nb', /control/],
    ['a\x7f', /control/],
    ['ä\u0085', /control/],
    ['ä\t', /control/],
    ['a\ud800', /surrogate/],
    ['\udc00a', /surrogate/],
    ['a'.repeat(MAX_NAME_BYTES + 1), /longer/],
    ['ä'.repeat(MAX_NAME_BYTES / 2) + 'a', /longer/],
  ]
  for (const [name, reason] of broken) {
    assert.match(nameProblem(name) ?? '', reason, JSON.stringify(name))
    assert.match(deviceIdProblem(name) ?? '', reason, JSON.stringify(name))
  }
})

test('the longest names are good', () => {
  for (const name of [
    'a'.repeat(MAX_NAME_BYTES),
    'ä'.repeat(128),
    '😀'.repeat(64),
    '泵'.repeat(85),
  ]) {
    assert.equal(deviceIdProblem(name), undefined)
  }
})

test('the rule equals its plain definition for any string', () => {
  const plain = (name: string): boolean =>
    name.isWellFormed() &&
    Buffer.byteLength(name) <= MAX_NAME_BYTES &&
    !/\p{Cc}/u.test(name) &&
    name.trim() !== ''
  const unit = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 1 }),
    fc.constantFrom('\ud800', '\udc00', ' ', 'é'),
  )
  const names = fc.array(unit, { maxLength: 300 }).map(units => units.join(''))
  fc.assert(fc.property(names, name => (nameProblem(name) === undefined) === plain(name)))
})
