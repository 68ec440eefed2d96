import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { QUICK_PHASES, FULL_PHASES } from '../run/phases.ts'
import type { Breach, Outcome, Phases } from '../run/record.ts'
import { seededRandom } from '../run/seeds.ts'
import { pilotRates, searchMaxRate } from './max-rate.ts'
import type { PlannedStep, SearchResult, StepAnswer } from './search.ts'

const P99: Breach = { rule: 'p99', detail: 'p99 of GET latest 412 ms, at most 300 ms' }
const LAG: Breach = { rule: 'send-lag', detail: 'send lag p99 9 ms, at most 5 ms' }
const LOST: Breach = { rule: 'ledger', detail: '1 point lost' }
const CRASH: Breach = { rule: 'crash', detail: 'the node did not start' }

const PASS: StepAnswer = { verdict: { outcome: 'pass', breaches: [] } }
const answer = (outcome: Outcome, breach: Breach): StepAnswer => ({
  verdict: { outcome, breaches: [breach] },
})

interface Run {
  readonly result: SearchResult
  readonly steps: readonly PlannedStep[]
}

function run(phases: Phases, system: (step: PlannedStep) => StepAnswer): Run {
  const search = searchMaxRate(phases)
  const steps: PlannedStep[] = []
  for (let next = search.next(); ;) {
    if (next.done === true) return { result: next.value, steps }
    steps.push(next.value)
    assert.ok(steps.length < 200, 'the search does not end')
    next = search.next(system(next.value))
  }
}

/** Holds what `holds` says, at each stage of the pilot too. */
function systemThat(holds: (rate: number) => boolean): (step: PlannedStep) => StepAnswer {
  return ({ phase, rates }) => {
    if (phase !== 'pilot') return holds(rates[0]) ? PASS : answer('fail', P99)
    const firstBroken = rates.findIndex(rate => !holds(rate))
    if (firstBroken === -1) return { ...PASS, held: rates.at(-1)! }
    return {
      ...answer('fail', P99),
      ...(firstBroken === 0 ? {} : { held: rates[firstBroken - 1] }),
      broke: rates[firstBroken],
    }
  }
}

const phasesOf = fc.constantFrom(FULL_PHASES, QUICK_PHASES)
const limits = fc.double({ min: 1, max: 50_000, noNaN: true })
/** Where the noise is larger than the steps of a rate. */
const noisyLimits = fc.double({ min: 5, max: 50_000, noNaN: true })

test('the result is the limit of the system, as precisely as was asked for', () => {
  fc.assert(
    fc.property(phasesOf, limits, (phases, limit) => {
      const { result, steps } = run(
        phases,
        systemThat(rate => rate <= limit),
      )
      assert.equal(result.problem, undefined)
      assert.ok(result.maxRate <= limit)
      // Below ten requests a second rates have steps of a tenth, above of one.
      const rounding = limit <= 10 ? 0.1 : 1
      assert.ok(
        result.maxRate * (1 + phases.precision) + rounding >= limit,
        `${result.maxRate} of ${limit}`,
      )
      assert.deepEqual(result.limit, [P99])
      assert.ok(steps.length <= 20, `${steps.length} steps`)
    }),
  )
})

test('noise in every verdict moves the result by the noise and one step down, no further', () => {
  fc.assert(
    fc.property(phasesOf, noisyLimits, fc.integer(), (phases, limit, seed) => {
      const random = seededRandom(seed)
      const noise = 0.05
      const { result, steps } = run(
        phases,
        systemThat(rate => rate <= limit * (1 + noise * (2 * random() - 1))),
      )
      assert.equal(result.problem, undefined)
      assert.ok(result.maxRate <= limit * (1 + noise))
      // Until 5 % below the limit nothing breaks; a confirmation steps down past that once at most.
      const down = (1 + Math.min(phases.precision, 0.1)) ** 3
      const rounding = limit <= 10 ? 0.3 : 3
      const least = ((limit * (1 - noise)) / (1 + phases.precision) / down) * 0.999
      assert.ok(result.maxRate + rounding >= least, `${result.maxRate} of ${limit}`)
      assert.ok(steps.length <= 30, `${steps.length} steps`)
    }),
  )
})

test('a rate that broke by chance does not hide what the overload shows', () => {
  fc.assert(
    fc.property(phasesOf, noisyLimits, fc.integer({ min: 1, max: 3 }), (phases, limit, unlucky) => {
      const holds = systemThat(rate => rate <= limit)
      let bisections = 0
      const { result, steps } = run(phases, step =>
        step.phase === 'bisect' && ++bisections === unlucky ? answer('fail', P99) : holds(step),
      )
      assert.equal(result.problem, undefined)
      assert.ok(result.maxRate <= limit)
      const rounding = limit <= 10 ? 0.2 : 2
      assert.ok(result.maxRate * phases.overloadFactor + rounding >= limit, `${result.maxRate}`)
      assert.deepEqual(result.limit, [P99])
      assert.ok(steps.length <= 50, `${steps.length} steps`)
    }),
  )
})

test('what was confirmed stays the result when nothing above it can be', () => {
  const phases = { ...QUICK_PHASES, startRate: 100 }
  const { result, steps } = run(phases, ({ phase, rates: [rate] }) => {
    if (phase === 'pilot') return { ...answer('fail', P99), held: 800, broke: 1600 }
    if (phase === 'confirm') return rate <= 1000 ? PASS : answer('fail', P99)
    // 1131 breaks by chance, what is above 1450 for good.
    return rate <= 1450 && rate !== 1131 ? PASS : answer('fail', P99)
  })
  const confirmed = steps.flatMap(({ phase, rates }) => (phase === 'confirm' ? rates : []))
  assert.ok(confirmed.some(rate => rate > 1000))
  assert.equal(result.maxRate, Math.max(...confirmed.filter(rate => rate <= 1000)))
  assert.equal(steps.filter(({ phase }) => phase === 'overload').length, 1)
})

test('what the pilot said is corrected by the steps, in both directions', () => {
  fc.assert(
    fc.property(limits, fc.double({ min: 0.2, max: 5, noNaN: true }), (limit, error) => {
      const pilot = systemThat(rate => rate <= limit * error)
      const steps = systemThat(rate => rate <= limit)
      const { result } = run(FULL_PHASES, step =>
        step.phase === 'pilot' ? pilot(step) : steps(step),
      )
      assert.ok(result.maxRate <= limit)
      const rounding = limit <= 10 ? 0.2 : 2
      assert.ok(result.maxRate * (1 + FULL_PHASES.precision) + rounding >= limit)
    }),
  )
})

test('void steps are repeated, and do not count', () => {
  fc.assert(
    fc.property(limits, fc.integer(), (limit, seed) => {
      const random = seededRandom(seed)
      const system = systemThat(rate => rate <= limit)
      // Each step is void at its first attempt in half of the cases, never at its second.
      const { result, steps } = run(FULL_PHASES, step =>
        step.phase !== 'pilot' && step.attempt === 1 && random() < 0.5
          ? answer('void', LAG)
          : system(step),
      )
      assert.ok(result.maxRate <= limit && result.maxRate * 1.05 + 1 >= limit)
      assert.ok(steps.every(({ attempt }) => attempt <= 1 + FULL_PHASES.maxVoids))
    }),
  )
})

test('where the generator is the limit the result is at least what it can measure, and says so', () => {
  const { result, steps } = run(FULL_PHASES, ({ phase, rates }) => {
    if (phase === 'pilot') return { ...answer('void', LAG), held: 2000, broke: 3000 }
    return rates[0] <= 2400 ? PASS : answer('void', LAG)
  })
  assert.ok(result.maxRate > 2270 && result.maxRate <= 2400)
  assert.equal(result.problem, undefined)
  assert.equal(result.limit[0].rule, 'send-lag')
  assert.match(result.limit[0].detail, /^at least; the generator's limit at \d+\/s: send lag/)
  const above = steps.filter(({ phase, rates }) => phase === 'bisect' && rates[0] > 2400)
  assert.equal(Math.max(...above.map(({ attempt }) => attempt)), 1 + FULL_PHASES.maxVoids)
})

test('a generator that is never good enough leaves a problem', () => {
  const { result } = run(QUICK_PHASES, () => answer('void', LAG))
  assert.equal(result.maxRate, 0)
  assert.match(result.problem ?? '', /^void at every rate that was tried: send lag/)
})

test('a system that holds everything has at least the highest rate that was tried', () => {
  const phases = { ...QUICK_PHASES, maxRate: 5000 }
  const { result } = run(
    phases,
    systemThat(() => true),
  )
  assert.equal(result.maxRate, 5000)
  assert.match(result.limit[0].detail, /at least 5000\/s/)
})

test('a system that holds not even one request a second has 0, and the reason', () => {
  const { result } = run(
    QUICK_PHASES,
    systemThat(() => false),
  )
  assert.deepEqual(result, { maxRate: 0, limit: [P99] })
})

test('a system that never starts is asked once more, then the cell has a problem', () => {
  const { result, steps } = run(QUICK_PHASES, () => answer('fail', CRASH))
  assert.equal(result.problem, 'the node did not start')
  assert.equal(steps.length, 1 + QUICK_PHASES.maxVoids)
})

test('a rate that loses a point does not hold, however quick it was', () => {
  const { result } = run(FULL_PHASES, step => {
    if (step.phase === 'pilot') return { ...PASS, held: 60_000 }
    return step.rates[0] <= 700 ? PASS : answer('invalid', LOST)
  })
  assert.ok(result.maxRate <= 700 && result.maxRate >= 660)
  assert.deepEqual(result.limit[0], LOST)
})

test('points that are lost under overload are told with the result', () => {
  const holds = systemThat(rate => rate <= 1000)
  const { result } = run(QUICK_PHASES, step =>
    step.phase === 'overload' ? answer('invalid', LOST) : holds(step),
  )
  assert.equal(result.limit.at(-1)?.rule, 'ledger')
  assert.match(result.limit.at(-1)?.detail ?? '', /^under overload/)
})

test('the confirmed rate is confirmed last, and overload follows it', () => {
  const { result, steps } = run(
    FULL_PHASES,
    systemThat(rate => rate <= 1234),
  )
  const [confirm, overload] = steps.slice(-2)
  assert.deepEqual(confirm, { phase: 'confirm', attempt: 1, rates: [result.maxRate] })
  assert.equal(overload.phase, 'overload')
  assert.equal(overload.rates[0], Math.round(result.maxRate * 1.5))
})

test('confirmations that all fail end the cell with its reason', () => {
  const { result, steps } = run(QUICK_PHASES, step =>
    step.phase === 'confirm' ? answer('fail', P99) : systemThat(rate => rate <= 900)(step),
  )
  assert.match(result.problem ?? '', /^no rate was confirmed in 6 attempts/)
  assert.equal(steps.filter(({ phase }) => phase === 'confirm').length, 6)
})

test('the pilot rises by its factor from its first rate', () => {
  const phases = { ...FULL_PHASES, maxRate: 400 }
  assert.deepEqual(pilotRates(phases), [50, 75, 113, 169, 253, 380])
})
