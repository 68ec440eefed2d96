import { WeirError } from '../../ports/errors.ts'
import type { Arrivals } from '../generator/executor.ts'
import { DEFAULT_SLO } from '../workloads/workload.ts'
import type { Benchmark, BenchmarkName, BenchmarkTest, LoadSettings } from './benchmark.ts'
import { readFields, type Field, type Fields, type FieldValues } from './fields.ts'
import { inTurn, untilItFails } from './test-sequence.ts'

const MAX_RPS = 200_000
/** A quarter of an hour at the most that a generator sends: more in one test is a slip. */
const MAX_REQUESTS = 50_000_000

const seconds = (meaning: string, more: { min?: number; default?: number }): Field => ({
  ...{ kind: 'number', min: 0, max: 3600, meaning },
  ...more,
})
const rate = (meaning: string, standard?: number): Field => ({
  ...{ kind: 'number', min: 1, max: MAX_RPS, meaning },
  ...(standard === undefined ? {} : { default: standard }),
})
const whole = (meaning: string, bounds: { min: number; max: number; default: number }): Field => ({
  ...{ kind: 'number', isWhole: true, meaning },
  ...bounds,
})

const COMMON: Fields = {
  warm_up: seconds('Seconds of load before the measured time, of each test.', { default: 2 }),
  devices: whole('How many devices the readings are of.', { min: 1, max: 100_000, default: 100 }),
  connections: whole('Open at the same time, at most.', { min: 1, max: 2000, default: 64 }),
  arrivals: {
    ...{ kind: 'choice', of: ['constant', 'poisson'], default: 'constant' },
    meaning: 'Between two requests: always the same time, or as independent devices come.',
  },
  seed: whole('The same seed sends the same readings at the same moments.', {
    ...{ min: 0, max: 2 ** 32 - 1, default: 1 },
  }),
  timeout_ms: whole('A request without an answer for so long has failed.', {
    ...{ min: 10, max: 120_000, default: 10_000 },
  }),
  max_p99_ms: {
    ...{ kind: 'number', min: 0.1, max: 120_000, default: DEFAULT_SLO.p99Ms },
    meaning: 'A rate holds while the p99 latency is at most this …',
  },
  max_error_rate: {
    ...{ kind: 'number', min: 1e-6, max: 1, default: DEFAULT_SLO.maxErrorShare },
    meaning: '… and errors, refusals and time-outs are below this share …',
  },
  min_achieved: {
    ...{ kind: 'number', min: 0, max: 1, default: DEFAULT_SLO.minAchievedShare },
    meaning: '… and at least this share of what was offered is answered in time.',
  },
}

/** What the body of each request may hold. */
export const BENCHMARK_FIELDS: Readonly<Record<BenchmarkName, Fields>> = {
  'baseline-suite': {
    duration: seconds('Measured seconds of each test, in place of 60, 120 and 60.', { min: 1 }),
    ...COMMON,
  },
  'throughput-ceiling': {
    start_rps: rate('The first rate.', 50),
    factor: {
      ...{ kind: 'number', min: 1.01, max: 10, default: 1.25 },
      meaning: 'Each rate is the one before times this.',
    },
    increment_rps: rate('Each rate is so much more than the one before, in place of factor.'),
    max_rps: rate('Where it ends even if it holds.', 50_000),
    duration: seconds('Measured seconds at each rate.', { min: 1, default: 20 }),
    ...COMMON,
  },
  'run-benchmark': {
    target_rps: rate('Requests a second.', 50),
    duration: seconds('Measured seconds.', { min: 1, default: 30 }),
    type: { kind: 'name', default: 'individual', meaning: 'What the table calls it.' },
    ...COMMON,
  },
}

const BASELINE: readonly BenchmarkTest[] = [
  { type: 'light_load', targetRps: 25, durationMs: 60_000 },
  { type: 'standard_load', targetRps: 100, durationMs: 120_000 },
  { type: 'high_load', targetRps: 250, durationMs: 60_000 },
]

/**
 * Makes a benchmark of the body of its request (undefined: there is none).
 *
 * @throws WeirError (rejected) that names every field that is wrong.
 */
export function benchmarkOf(name: BenchmarkName, body: unknown): Benchmark {
  const values = readFields(BENCHMARK_FIELDS[name], body)
  const problems = [...values.problems]
  if (name === 'throughput-ceiling' && problems.length === 0) {
    if (values.number('start_rps') > values.number('max_rps')) {
      problems.push('start_rps must not be above max_rps')
    }
    if (values.optional('increment_rps') !== undefined && isGiven(body, 'factor')) {
      problems.push('factor and increment_rps exclude each other')
    }
  }
  if (problems.length === 0) problems.push(...tooMany(name, values))
  if (problems.length > 0) throw new WeirError('rejected', problems.join('; '))
  const settings = settingsOf(values)
  if (name === 'throughput-ceiling') return { name, settings, ...ceiling(values) }
  const tests = name === 'baseline-suite' ? baseline(values) : [individual(values)]
  return {
    ...{ name, settings, plannedTests: tests.length, tests: () => inTurn(tests) },
    plannedMs: tests.reduce((sum, { durationMs }) => sum + settings.warmUpMs + durationMs, 0),
  }
}

const isGiven = (body: unknown, name: string): boolean =>
  typeof body === 'object' && body !== null && Object.hasOwn(body, name)

function tooMany(name: BenchmarkName, values: FieldValues): string[] {
  if (name === 'baseline-suite') return []
  const highest = values.number(name === 'throughput-ceiling' ? 'max_rps' : 'target_rps')
  const requests = highest * (values.number('warm_up') + values.number('duration'))
  if (requests <= MAX_REQUESTS) return []
  return [
    `${requests} requests of rate times warm_up and duration, at most ${MAX_REQUESTS} in one test`,
  ]
}

function settingsOf(values: FieldValues): LoadSettings {
  const p99Ms = values.number('max_p99_ms')
  return {
    devices: values.number('devices'),
    arrivals: values.text('arrivals') as Arrivals,
    seed: values.number('seed'),
    connections: values.number('connections'),
    warmUpMs: values.number('warm_up') * 1000,
    timeoutMs: values.number('timeout_ms'),
    slo: {
      ...DEFAULT_SLO,
      // This API promises a p99 only: a bound on p95 that is the same never decides.
      ...{ p99Ms, p95Ms: p99Ms },
      maxErrorShare: values.number('max_error_rate'),
      minAchievedShare: values.number('min_achieved'),
    },
  }
}

function baseline(values: FieldValues): BenchmarkTest[] {
  const duration = values.optional('duration')
  if (duration === undefined) return [...BASELINE]
  return BASELINE.map(test => ({ ...test, durationMs: duration * 1000 }))
}

function individual(values: FieldValues): BenchmarkTest {
  return {
    type: values.text('type'),
    targetRps: values.number('target_rps'),
    durationMs: values.number('duration') * 1000,
  }
}

function ceiling(values: FieldValues): Pick<Benchmark, 'tests'> {
  const incrementRps = values.optional('increment_rps')
  const ascent = {
    startRps: values.number('start_rps'),
    factor: values.number('factor'),
    ...(incrementRps === undefined ? {} : { incrementRps }),
    maxRps: values.number('max_rps'),
    durationMs: values.number('duration') * 1000,
  }
  return { tests: () => untilItFails(ascent) }
}
