import { Draws, STREAMS } from './draws.ts'
import type { Arrivals } from './executor.ts'

/** A part of the plan; its rate goes evenly from the first to the last, in requests a second. */
export interface RateSegment {
  readonly fromMs: number
  readonly toMs: number
  readonly fromRate: number
  readonly toRate: number
}

/** Requests that a segment is to have: of Poisson arrivals, their mean. */
export function expectedRequests({ fromMs, toMs, fromRate, toRate }: RateSegment): number {
  return ((fromRate + toRate) / 2) * ((toMs - fromMs) / 1000)
}

/**
 * The arrival times of a run, one after the other. Two of the same plan and seed go through the
 * same times, so that whoever needs to know what is due and what was sent keeps two of them, and
 * nobody keeps the times between.
 *
 * A time is where the integral of the rate reaches the next number: one more than the last for
 * constant arrivals, an exponentially distributed step for a Poisson process.
 */
export class ArrivalTimes {
  /** Since the start of the run; Infinity when there is no further one. */
  nextMs = 0
  /** Of `nextMs`; the first has 0. */
  index = -1
  readonly #segments: readonly RateSegment[]
  readonly #draws: Draws
  readonly #isPoisson: boolean
  #segment = 0
  /** Of the integral: where the segment began, and where the next arrival is. */
  #before = 0
  #target: number

  constructor(segments: readonly RateSegment[], arrivals: Arrivals, seed: number) {
    this.#segments = segments
    this.#draws = new Draws(seed)
    this.#draws.seek(STREAMS.arrivals, 0)
    this.#isPoisson = arrivals === 'poisson'
    // Half a step before the first keeps the last of a segment clear of its end.
    this.#target = this.#isPoisson ? 0 : -0.5
    this.advance()
  }

  advance(): void {
    this.index++
    this.#target += this.#isPoisson ? -Math.log(1 - this.#draws.next()) : 1
    for (;;) {
      const segment = this.#segments[this.#segment]
      if (segment === undefined) {
        this.nextMs = Infinity
        return
      }
      const within = this.#target - this.#before
      const whole = expectedRequests(segment)
      if (within < whole) {
        this.nextMs = segment.fromMs + timeOf(segment, within)
        return
      }
      this.#before += whole
      this.#segment++
    }
  }
}

/** Milliseconds into the segment at which its integral reaches `requests`. */
function timeOf({ fromMs, toMs, fromRate, toRate }: RateSegment, requests: number): number {
  const slope = ((toRate - fromRate) * 1000) / (toMs - fromMs)
  const root = Math.sqrt(Math.max(0, fromRate * fromRate + 2 * slope * requests))
  return Math.min(toMs - fromMs, (2000 * requests) / (fromRate + root))
}
