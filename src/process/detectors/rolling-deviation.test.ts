import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DetectorBatch } from './detector.ts'
import { Findings } from './findings.ts'
import { RollingDeviation } from './rolling-deviation.ts'
import type { RollingOptions } from './rolling-settings.ts'

const OPTIONS: RollingOptions = {
  ...{ window: 10, warmup: 5, zScore: 4, deviationPct: 0, minDeviationPct: 1, maxPerWindow: 100 },
  metrics: [],
}

interface Point {
  readonly slot: number
  readonly time: number
  readonly value: number
}

interface Found {
  readonly point: number
  readonly average: number
  readonly score: number
  readonly severity: number
}

function batchOf(points: readonly Point[], order?: Uint32Array): DetectorBatch {
  return {
    slots: Int32Array.from({ length: 8 }, (_, i) => i),
    seriesIndex: Uint32Array.from(points, ({ slot }) => slot),
    timestamps: Float64Array.from(points, ({ time }) => time),
    values: Float64Array.from(points, ({ value }) => value),
    order,
  }
}

function detectorOf(options: Partial<RollingOptions> = {}, metric = 'm'): RollingDeviation {
  const detector = new RollingDeviation({ ...OPTIONS, ...options })
  detector.reserve(8)
  for (let slot = 0; slot < 8; slot++) detector.admit(slot, metric)
  return detector
}

function run(detector: RollingDeviation, points: readonly Point[]): Found[] {
  const findings = new Findings()
  detector.detect(batchOf(points), findings)
  return Array.from({ length: findings.count }, (_, row) => ({
    point: findings.index[row],
    average: findings.average[row],
    score: findings.score[row],
    severity: findings.severity[row],
  }))
}

/** Of one series, a point a second. */
const series = (values: readonly number[], from = 0): Point[] =>
  values.map((value, i) => ({ slot: 0, time: from + i + 1, value }))

const steady = Array.from({ length: 20 }, (_, i) => 20 + (i % 2))

/** What the window must be, without any cleverness: the values kept, all summed for each point. */
function slowly(points: readonly Point[], options: RollingOptions): Map<number, number> {
  const scores = new Map<number, number>()
  const past = new Map<number, Point[]>()
  points.forEach(({ slot, time, value }, i) => {
    const kept = past.get(slot) ?? []
    past.set(slot, kept)
    const newest = kept.at(-1)
    if (newest !== undefined && time < newest.time) return
    if (newest?.time === time) {
      if (newest.value === value) return
      kept.pop()
    }
    const window = kept.slice(-options.window).map(each => each.value)
    kept.push({ slot, time, value })
    if (window.length < options.warmup) return
    const mean = window.reduce((sum, each) => sum + each, 0) / window.length
    const squares = window.reduce((sum, each) => sum + (each - mean) ** 2, 0)
    const floor = ((options.minDeviationPct / 100) * Math.abs(mean)) / options.zScore
    const scale = Math.max(Math.sqrt(squares / (window.length - 1)), floor)
    const isSwitch = [...window, value].every(each => each === 0 || each === 1)
    if (scale > 0 && !isSwitch) scores.set(i, (value - mean) / scale)
  })
  return scores
}

const values = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: 19, max: 21, noNaN: true }) },
  { weight: 4, arbitrary: fc.integer({ min: 19, max: 21 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 1 }) },
  { weight: 1, arbitrary: fc.double({ min: -1e9, max: 1e9, noNaN: true }) },
)
const streams = fc.array(
  fc.record({ slot: fc.nat(1), step: fc.integer({ min: -2, max: 4 }), value: values }),
  { minLength: 40, maxLength: 300 },
)

/** Mostly rising; some late, some of the time before. */
function pointsOf(stream: readonly { slot: number; step: number; value: number }[]): Point[] {
  let time = 10
  return stream.map(({ slot, step, value }) => {
    time = Math.max(0, time + step)
    return { slot, time, value }
  })
}

test('finds what a plain sum over the window finds, in any disorder', () => {
  fc.assert(
    fc.property(streams, stream => {
      const points = pointsOf(stream)
      const expected = slowly(points, OPTIONS)
      const found = new Map(run(detectorOf(), points).map(each => [each.point, each]))
      for (const [point, score] of expected) {
        const threshold = Math.abs(score) / OPTIONS.zScore
        // Where rounding decides, either is right.
        if (Math.abs(threshold - 1) < 1e-6) continue
        assert.equal(found.has(point), threshold >= 1, `point ${point}, score ${score}`)
        const given = found.get(point)?.score ?? score
        assert.ok(Math.abs(given - score) <= 1e-6 * Math.abs(score), `${given} is not ${score}`)
      }
      for (const point of found.keys()) assert.ok(expected.has(point), `point ${point}`)
    }),
  )
})

test('a stream cut anywhere, with its state carried over, ends as the whole one', () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(300), { maxLength: 6 }), (stream, cuts) => {
      const points = pointsOf(stream)
      const whole = detectorOf()
      const expected = run(whole, points)
      const found: Found[] = []
      let detector = detectorOf()
      let from = 0
      for (const to of [...cuts.filter(cut => cut < points.length), points.length].sort(
        (a, b) => a - b,
      )) {
        const part = run(detector, points.slice(from, to))
        found.push(...part.map(each => ({ ...each, point: from + each.point })))
        const state = detector.state(8).slice()
        detector = new RollingDeviation(OPTIONS)
        detector.reserve(8)
        detector.state(8).set(state)
        from = to
      }
      assert.deepEqual(found, expected)
      assert.deepEqual(Buffer.from(detector.state(8).buffer), Buffer.from(whole.state(8).buffer))
    }),
  )
})

test('a batch that comes again changes nothing', () => {
  fc.assert(
    fc.property(streams, stream => {
      const points = pointsOf(stream).sort((a, b) => a.time - b.time)
      const unique = points.filter(
        (point, i) =>
          !points.slice(i + 1).some(p => p.slot === point.slot && p.time === point.time),
      )
      const detector = detectorOf()
      run(detector, unique)
      const state = Buffer.from(detector.state(8).buffer.slice(0))
      assert.deepEqual(run(detector, unique), [])
      assert.deepEqual(Buffer.from(detector.state(8).buffer), state)
      assert.equal(detector.counts.late + detector.counts.repeated, unique.length)
    }),
  )
})

test('a spike is found, with the average before it and its distance in deviations', () => {
  const [found, ...others] = run(detectorOf(), series([...steady, 30]))
  assert.deepEqual(others, [])
  assert.equal(found.point, 20)
  assert.equal(found.average, 20.5)
  const deviation = Math.sqrt((10 * 0.25) / 9)
  assert.ok(Math.abs(found.score - 9.5 / deviation) < 1e-9)
  assert.equal(found.severity, 3)
})

test('nothing is judged before the warm-up, and text and what is not watched never', () => {
  assert.deepEqual(run(detectorOf(), series([20, 21, 20, 21, 500])), [])
  assert.equal(run(detectorOf(), series([20, 21, 20, 21, 20, 500])).length, 1)
  assert.deepEqual(run(detectorOf(), series([...steady, NaN, NaN])), [])
  const metrics = [{ match: 'm', watch: false }]
  assert.deepEqual(run(detectorOf({ metrics }), series([...steady, 500])), [])
  const detector = detectorOf()
  const findings = new Findings()
  const batch = batchOf(series([...steady, 500]))
  detector.detect({ ...batch, slots: new Int32Array(8).fill(-1) }, findings)
  assert.equal(findings.count, 0)
})

test('the last digit of a quiet sensor is no anomaly, a real step is', () => {
  const quiet = Array.from({ length: 20 }, () => 20)
  assert.deepEqual(run(detectorOf(), series([...quiet, 20.1])), [])
  assert.equal(run(detectorOf(), series([...quiet, 21])).length, 1)
  assert.equal(run(detectorOf({ minDeviationPct: 0.1 }), series([...quiet, 20.1])).length, 1)
})

test('a switch is no anomaly, and a window of zeros has no scale', () => {
  const off = Array.from({ length: 20 }, () => 0)
  assert.deepEqual(run(detectorOf(), series([...off, 1, 0, 0, 0, 1])), [])
  assert.deepEqual(run(detectorOf(), series([...off.map(() => 1), 0])), [])
  assert.deepEqual(run(detectorOf(), series([...off, 7])), [])
  assert.equal(run(detectorOf(), series([...off.map(() => 1), 7])).length, 1)
})

test('a percentage counts in any case where one is set', () => {
  const wild = Array.from({ length: 20 }, (_, i) => (i % 2) * 100)
  assert.deepEqual(run(detectorOf(), series([...wild, 151])), [])
  const [found] = run(detectorOf({ deviationPct: 200 }), series([...wild, 151]))
  assert.equal(found.point, 20)
  assert.equal(found.severity, 0)
})

test('metrics have their own settings, the first rule that matches counts', () => {
  const metrics = [
    { match: 'vibration.*', zScore: 1000 },
    { match: '*', window: 4, warmup: 2, zScore: 3 },
  ]
  assert.deepEqual(run(detectorOf({ metrics }, 'vibration.x'), series([...steady, 30])), [])
  assert.equal(run(detectorOf({ metrics }, 'xvibration.'), series([20, 21, 30])).length, 1)
  // Only the asterisk is special.
  const dot = detectorOf({ metrics: [{ match: 'a.b', watch: false }] }, 'aXb')
  assert.equal(run(dot, series([...steady, 30])).length, 1)
})

test('a lasting change is told a few times only', () => {
  const step = Array.from({ length: 40 }, () => 30)
  const detector = detectorOf({ maxPerWindow: 2 })
  const found = run(detector, series([...steady, ...step]))
  assert.ok(found.length >= 1 && found.length <= 3, `${found.length} were told`)
  // What comes after it is judged by the new level.
  assert.deepEqual(run(detector, series([30, 30], 100)), [])
  assert.equal(run(detector, series([20], 200)).length, 1)
})

test('of a series no more anomalies are told than its bound, the others are counted', () => {
  const findings = new Findings()
  const detector = detectorOf({ maxPerWindow: 1, window: 100, warmup: 10 })
  const values = [...steady, 1e3, 1e5, 1e7, 1e9]
  detector.detect(batchOf(series(values)), findings)
  assert.equal(findings.count, 1)
  assert.equal(findings.suppressed, 3)
})

test('a corrected newest value takes the place of the first one', () => {
  const corrected = detectorOf()
  run(corrected, series([...steady, 500]))
  const right = { slot: 0, time: steady.length + 1, value: 20.5 }
  assert.deepEqual(run(corrected, [right]), [])
  const plain = detectorOf()
  run(plain, series([...steady, 20.5]))
  const last = [{ slot: 0, time: 1000, value: 29 }]
  const [a] = run(corrected, last)
  const [b] = run(plain, last)
  assert.ok(Math.abs(a.average - b.average) < 1e-9 && Math.abs(a.score - b.score) < 1e-6)
})

test('values at the end of what a float64 holds do no lasting harm', () => {
  const detector = detectorOf()
  const huge = [1.7e308, -1.7e308, 5e-324, 1.7e308, ...steady, ...steady]
  run(detector, series([...steady, ...huge]))
  const [found] = run(detector, series([30], 1000))
  assert.equal(found.average, 20.5)
  assert.ok(Number.isFinite(found.score))
})

test('a batch is taken in the order that is given with it', () => {
  const points = series([...steady, 30]).reverse()
  const findings = new Findings()
  const order = Uint32Array.from(points, (_, i) => points.length - 1 - i)
  detectorOf().detect(batchOf(points, order), findings)
  assert.equal(findings.count, 1)
  assert.equal(findings.index[0], 0)
})
