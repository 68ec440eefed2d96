import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isoFromTime, MAX_TIME_US, timeFromIso, timeFromNumber } from './time.ts'

test('a number is seconds, milliseconds, microseconds or nanoseconds by its magnitude', () => {
  const us = 1_763_632_800_123_456
  assert.equal(timeFromNumber(us / 1e6), us)
  assert.equal(timeFromNumber(1_763_632_800), 1_763_632_800_000_000)
  assert.equal(timeFromNumber(1_763_632_800_123), 1_763_632_800_123_000)
  assert.equal(timeFromNumber(us), us)
  assert.equal(timeFromNumber(1_763_632_800_123_456_000), us)
  assert.equal(timeFromNumber(0), 0)
})

test('the bounds between the units are where they are documented', () => {
  assert.equal(timeFromNumber(99_999_999_999), 99_999_999_999e6)
  assert.equal(timeFromNumber(1e11), 1e14)
  assert.equal(timeFromNumber(1e14), 1e14)
  assert.equal(timeFromNumber(1e17), 1e14)
})

test('what is no time is NaN', () => {
  for (const value of [-1, -1e-9, NaN, Infinity, -Infinity]) {
    assert.ok(Number.isNaN(timeFromNumber(value)), String(value))
  }
})

test('a negative zero is the time 0', () => {
  assert.ok(Object.is(timeFromNumber(-0), 0))
})

test('ISO 8601 is read in the ways that devices write it', () => {
  const at = Date.UTC(2026, 10, 20, 10, 15, 30) * 1000
  const cases: [string, number][] = [
    ['2026-11-20', Date.UTC(2026, 10, 20) * 1000],
    ['2026-11-20T10:15', at - 30e6],
    ['2026-11-20T10:15Z', at - 30e6],
    ['2026-11-20T10:15:30', at],
    ['2026-11-20T10:15:30Z', at],
    ['2026-11-20t10:15:30z', at],
    ['2026-11-20 10:15:30', at],
    ['2026-11-20 10:15:30+00:00', at],
    ['2026-11-20T10:15:30.5Z', at + 500_000],
    ['2026-11-20T10:15:30,25Z', at + 250_000],
    ['2026-11-20T10:15:30.123456Z', at + 123_456],
    ['2026-11-20T10:15:30.123456999Z', at + 123_456],
    ['2026-11-20T12:15:30+02:00', at],
    ['2026-11-20T12:15:30+0200', at],
    ['2026-11-20T12:15:30+02', at],
    ['2026-11-20T04:45:30-05:30', at],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29) * 1000],
    ['2000-02-29', Date.UTC(2000, 1, 29) * 1000],
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01T01:00:00+01:00', 0],
  ]
  for (const [text, expected] of cases) assert.equal(timeFromIso(text), expected, text)
})

test('what is no ISO 8601 time, or before 1970, is NaN', () => {
  const texts = [
    '',
    'now',
    '1763632800',
    '2026-11',
    '2026-11-2O',
    '2026-13-01',
    '2026-00-10',
    '2026-11-31',
    '2026-11-00',
    '2023-02-29',
    '1900-02-29',
    '20261120T101530Z',
    '2026-11-20T',
    '2026-11-20T10',
    '2026-11-20T24:00',
    '2026-11-20T10:60',
    '2026-11-20T10:15:60Z',
    '2026-11-20T10:15:30.Z',
    '2026-11-20T10:15:3',
    '2026-11-20T10:15:30X',
    '2026-11-20T10:15:30Zjunk',
    '2026-11-20T10:15:30+',
    '2026-11-20T10:15:30+2',
    '2026-11-20T10:15:30+02:0',
    '2026-11-20T10:15:30+24:00',
    '2026-11-20T10:15:30+02:60',
    '2026-11-20_10:15:30',
    ' 2026-11-20',
    '1969-12-31',
    '1969-12-31T23:59:59Z',
    '1970-01-01T00:00:00+01:00',
    '-026-11-20',
    '2026-11-20T-1:00',
  ]
  for (const text of texts) assert.ok(Number.isNaN(timeFromIso(text)), text)
})

test('every time is written and read back exactly, and as Date writes it', () => {
  const highest = Math.min(MAX_TIME_US, Date.UTC(9999, 11, 31) * 1000)
  const times = fc.maxSafeInteger().map(n => Math.abs(n) % highest)
  fc.assert(
    fc.property(times, timeUs => {
      const iso = isoFromTime(timeUs)
      assert.equal(timeFromIso(iso), timeUs)
      assert.equal(Date.parse(iso), Math.floor(timeUs / 1000))
    }),
    { numRuns: 2000 },
  )
})

test('any date and zone that Date.parse understands means the same here', () => {
  const two = (n: number): string => String(n).padStart(2, '0')
  const zone = fc
    .tuple(fc.constantFrom('+', '-'), fc.nat(23), fc.nat(59))
    .map(([sign, h, m]) => `${sign}${two(h)}:${two(m)}`)
  const date = fc.date({
    min: new Date('1971-01-01'),
    max: new Date('2250-01-01'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(date, fc.oneof(zone, fc.constant('Z')), (when, suffix) => {
      const text = when.toISOString().slice(0, -1) + suffix
      assert.equal(timeFromIso(text), Date.parse(text) * 1000)
    }),
    { numRuns: 2000 },
  )
})

test('microseconds are written only where there are any', () => {
  assert.equal(isoFromTime(0), '1970-01-01T00:00:00.000Z')
  assert.equal(isoFromTime(1_000), '1970-01-01T00:00:00.001Z')
  assert.equal(isoFromTime(1_001), '1970-01-01T00:00:00.001001Z')
  assert.equal(isoFromTime(MAX_TIME_US), '2255-06-05T23:47:34.740991Z')
})
