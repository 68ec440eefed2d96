import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { build, decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { LatencyHistogram } from './latency-histogram.ts'

const micros = fc.oneof(
  fc.integer({ min: 0, max: 5000 }),
  fc.integer({ min: 0, max: 120_000_000 }),
  fc.integer({ min: 1, max: 29 }).map(bits => 2 ** bits),
)

describe('the latency histogram', () => {
  it('says what hdr-histogram-js says of the same values, and is read by it', () =>
    fc.assert(
      fc.asyncProperty(fc.array(micros, { minLength: 1, maxLength: 200 }), async values => {
        const reference = build({
          highestTrackableValue: 2 ** 30,
          numberOfSignificantValueDigits: 3,
        })
        const histogram = new LatencyHistogram()
        for (const us of values) {
          reference.recordValue(us)
          histogram.record(us / 1000)
        }
        const decoded = decodeFromCompressedBase64(await histogram.encoded())
        const maxUs = Math.max(...values)
        const { p50Ms, p95Ms, p99Ms, maxMs, count } = histogram.latency()
        for (const [percentile, ms] of [
          [50, p50Ms],
          [95, p95Ms],
          [99, p99Ms],
        ]) {
          const expected = reference.getValueAtPercentile(percentile)
          assert.equal(Math.round(ms * 1000), Math.min(expected, maxUs))
          assert.equal(decoded.getValueAtPercentile(percentile), expected)
          assert.equal(histogram.percentileMs(percentile), ms)
        }
        assert.deepEqual([count, maxMs], [values.length, maxUs / 1000])
        assert.equal(decoded.totalCount, values.length)
      }),
    ))

  it('adds up, is empty again, and has an answer when it is empty', async () => {
    const [one, other] = [new LatencyHistogram(), new LatencyHistogram()]
    one.record(1)
    other.record(3)
    one.add(other)
    assert.deepEqual(
      { ...one.latency(), p50Ms: 1, p95Ms: 3, p99Ms: 3 },
      { count: 2, meanMs: 2, p50Ms: 1, p95Ms: 3, p99Ms: 3, maxMs: 3 },
    )
    one.reset()
    const none = { count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 }
    assert.deepEqual(one.latency(), none)
    assert.equal(decodeFromCompressedBase64(await one.encoded()).totalCount, 0)
  })

  it('keeps what is longer than it can tell at its end', () => {
    const histogram = new LatencyHistogram()
    histogram.record(1e12)
    assert.equal(histogram.latency().maxMs, 0x3fffffff / 1000)
  })
})
