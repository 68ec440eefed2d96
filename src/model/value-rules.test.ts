import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { MetricType } from './product.ts'
import { SeriesTable } from './series-table.ts'
import { ValueRules, type ValueRule } from './value-rules.ts'
import { OUT_OF_RANGE, REFUSED, WRONG_TYPE } from './violation.ts'

type Value = number | boolean | string

/** What the documentation says, the obvious way. */
function obvious(rule: ValueRule | undefined, value: Value): number {
  if (rule === undefined) return 0
  const { type, min, max, refuse } = rule
  const is: Record<MetricType, boolean> = {
    number: typeof value === 'number',
    integer: Number.isInteger(value),
    boolean: typeof value === 'boolean' || value === 0 || value === 1,
    string: typeof value === 'string',
  }
  const action = refuse ? REFUSED : 0
  if (!is[type]) return WRONG_TYPE | action
  if (typeof value === 'number' && (value < min || value > max)) return OUT_OF_RANGE | action
  return 0
}

const bound = fc.oneof(fc.constantFrom(-1, 0, 1, 2, 85.5), fc.double({ noNaN: true }))
const ruleArbitrary = fc.record({
  type: fc.constantFrom('number', 'integer', 'boolean', 'string'),
  bounds: fc.tuple(bound, bound),
  refuse: fc.boolean(),
})
const value = fc.oneof(
  fc.constantFrom<Value>(-1, -0, 0, 1, 2, 85.5, true, false, '', '1'),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)

interface Drawn {
  readonly type: string
  readonly bounds: readonly number[]
  readonly refuse: boolean
}

function ruleOf({ type, bounds, refuse }: Drawn): ValueRule {
  const isBounded = type === 'number' || type === 'integer'
  const [min, max] = isBounded ? [Math.min(...bounds), Math.max(...bounds)] : [-Infinity, Infinity]
  return { tenant: 't', product: 'p', unit: undefined, type: type as MetricType, min, max, refuse }
}

test('the rules say what the obvious check says, whatever comes, goes and changes', () => {
  const metric = fc.integer({ min: 0, max: 4 })
  const device = fc.integer({ min: 0, max: 30 })
  const step = fc.oneof(
    fc.record({ metric, rule: fc.option(ruleArbitrary, { nil: undefined }) }),
    fc.record({ device, metric, value }),
    fc.record({ device, metric, value }),
  )
  const property = fc.property(fc.array(step, { maxLength: 60 }), steps => {
    const table = new SeriesTable()
    const wanted = new Map<string, ValueRule>()
    const places = new Map<string, number>()
    const rules = new ValueRules(table, ({ id }, name) =>
      // Devices with odd ids have no product.
      id % 2 === 1 ? -1 : (places.get(name) ?? -1),
    )
    for (let i = 0; i <= 30; i++) table.device('t', `d${i}`)
    for (const one of steps) {
      const name = `m${one.metric}`
      if ('rule' in one) {
        const before = places.get(name)
        if (before !== undefined) rules.remove(before)
        places.delete(name)
        wanted.delete(name)
        if (one.rule !== undefined) {
          wanted.set(name, ruleOf(one.rule))
          places.set(name, rules.add(ruleOf(one.rule)))
        }
        for (let i = 0; i <= 30; i++) rules.forget(table.deviceAt(i))
        assert.equal(rules.holdFor('t'), wanted.size > 0)
        continue
      }
      const series = table.series(table.deviceAt(one.device), name)
      const rule = one.device % 2 === 1 ? undefined : wanted.get(name)
      const said =
        typeof one.value === 'string'
          ? rules.checkText(series)
          : rules.check(series, Number(one.value), typeof one.value === 'boolean')
      assert.equal(said, obvious(rule, one.value), `${name} ${JSON.stringify(rule)} ${one.value}`)
      assert.deepEqual(rules.ruleOf(series), rule)
    }
  })
  fc.assert(property, { numRuns: 500 })
})

test('rules of one tenant are none of another', () => {
  const table = new SeriesTable()
  const rules = new ValueRules(table, () => -1)
  const rule = { product: 'p', unit: undefined, type: 'number', min: 0, max: 1, refuse: true }
  const place = rules.add({ ...rule, tenant: 'a', type: 'number' })
  assert.deepEqual([rules.holdFor('a'), rules.holdFor('b')], [true, false])
  rules.remove(place)
  rules.remove(place)
  assert.equal(rules.holdFor('a'), false)
})

test('a thousand rules and ten thousand series keep their own', () => {
  const table = new SeriesTable()
  const places = new Map<string, number>()
  const rules = new ValueRules(table, (_device, metric) => places.get(metric) ?? -1)
  for (let i = 0; i < 1000; i++) {
    const bounds = { min: i, max: i + 1 }
    const rest = { tenant: 't', product: 'p', unit: undefined, refuse: false } as const
    places.set(`m${i}`, rules.add({ ...rest, ...bounds, type: 'number' }))
  }
  for (let d = 0; d < 10; d++) {
    const device = table.device('t', `d${d}`)
    for (let i = 0; i < 1000; i++) {
      const series = table.series(device, `m${i}`)
      assert.equal(rules.check(series, i + 0.5, false), 0)
      assert.equal(rules.check(series, i + 1.5, false), OUT_OF_RANGE)
    }
  }
})
