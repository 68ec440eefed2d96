import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { queryValidator, timeParameter } from './query-params.ts'

const validate = queryValidator(
  Type.Object({
    name: Type.Optional(Type.String()),
    metric: Type.Optional(Type.Array(Type.String(), { maxItems: 3 })),
    limit: Type.Integer({ minimum: 1, maximum: 10, default: 5 }),
    ratio: Type.Optional(Type.Number()),
    live: Type.Optional(Type.Boolean()),
    order: Type.Enum(['asc', 'desc'], { default: 'asc' }),
    needed: Type.String(),
  }),
)

const value = (query: Record<string, string | string[]>): object => {
  const result = validate({ needed: 'x', ...query })
  assert.ok('value' in result, 'error' in result ? result.error.message : '')
  return result.value
}

const fields = (query: Record<string, string | string[]>): string[] => {
  const result = validate(query)
  assert.ok('error' in result)
  return (result.error.options.errors ?? []).map(one => `${one.field} ${one.detail}`)
}

const defaults = { needed: 'x', limit: 5, order: 'asc' }

test('parameters are converted, and defaults filled in', () => {
  assert.deepEqual(value({}), defaults)
  assert.deepEqual(value({ limit: '10', ratio: '-0.5', live: 'true', order: 'desc', name: 'ä' }), {
    ...{ needed: 'x', limit: 10, ratio: -0.5, live: true, order: 'desc', name: 'ä' },
  })
})

test('a repeatable parameter takes one value or many', () => {
  assert.deepEqual(value({ metric: 'a' }), { ...defaults, metric: ['a'] })
  assert.deepEqual(value({ metric: ['a', 'b'] }), { ...defaults, metric: ['a', 'b'] })
})

test('all that is wrong is reported at once, each with its name', () => {
  const query = {
    limit: '0',
    ratio: '1e5',
    live: 'yes',
    order: 'up',
    name: ['a', 'b'],
    colour: 'red',
  }
  assert.deepEqual(fields(query), [
    'limit must not be below 1',
    'ratio must be a number',
    'live must be true or false',
    'order must be one of asc, desc',
    'name is given more than once',
    'colour is not known; known are name, metric, limit, ratio, live, order, needed',
    'needed is missing',
  ])
  assert.deepEqual(fields({ needed: '', limit: '11', metric: ['a', 'b', 'c', 'd'] }), [
    'needed must not be empty',
    'limit must not be above 10',
    'metric is given more than 3 times',
  ])
  assert.deepEqual(fields({ needed: 'x', limit: '1.5' }), ['limit must be an integer'])
  assert.deepEqual(fields({ needed: 'x', limit: '9007199254740993' }), ['limit must be an integer'])
})

test('names of the prototype are unknown parameters', () => {
  const query = Object.assign(Object.create(null) as object, { needed: 'x', constructor: '1' })
  assert.match(fields(query as Record<string, string>).join(), /^constructor is not known/)
})

test('a time in a query is ISO 8601 or a number in any of four units', () => {
  const us = Date.UTC(2026, 10, 20, 9, 10) * 1000
  const texts = [
    '2026-11-20T09:10:00Z',
    '2026-11-20T10:10:00+01:00',
    // What becomes of a plus sign that was not percent-encoded.
    '2026-11-20T10:10:00 01:00',
    '2026-11-20T10:10:00 0100',
    '2026-11-20 09:10',
    String(us / 1e6),
    String(us / 1e3),
    String(us),
    `${us}000`,
    `${us}499`,
  ]
  for (const text of texts) assert.equal(timeParameter(text, 'start'), us, text)
  assert.equal(timeParameter(`${us}500`, 'start'), us + 1)
  assert.equal(timeParameter('1.5', 'start'), 1_500_000)
})

test('what is no time names the parameter', () => {
  for (const text of ['now', '-1', '', '1e9', '2026-13-01', 'NaN', '9'.repeat(30), '0x10']) {
    assert.throws(
      () => timeParameter(text, 'start'),
      { status: 400, message: /^start is not/ },
      text,
    )
  }
})
