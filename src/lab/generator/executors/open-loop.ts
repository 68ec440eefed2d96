import { ArrivalTimes } from '../arrivals.ts'
import type { RequestPlace } from '../compiled-workload.ts'
import { STREAMS } from '../draws.ts'
import type { RatePlan } from '../rate-plan.ts'
import type { Source } from '../source.ts'

/** Requests come when the plan says, whatever becomes of those before. */
export class OpenLoop implements Source {
  readonly nextOwner = 0
  readonly endMs: number
  readonly lastsUntilEnd = true
  readonly ownConnections = false
  readonly #times: ArrivalTimes
  /** Goes through the same times at the pace of the clock. */
  readonly #due: ArrivalTimes
  readonly #onDue: (intendedMs: number) => void
  readonly #place = { stream: STREAMS.requests, index: 0, serial: 0 }

  constructor(plan: RatePlan, seed: number, onDue: (intendedMs: number) => void) {
    this.#times = new ArrivalTimes(plan.segments, plan.arrivals, seed)
    this.#due = new ArrivalTimes(plan.segments, plan.arrivals, seed)
    this.#onDue = onDue
    this.endMs = plan.segments.at(-1)?.toMs ?? 0
  }

  get nextMs(): number {
    return this.#times.nextMs
  }

  take(): RequestPlace {
    const place = this.#place
    place.index = place.serial = this.#times.index
    this.#times.advance()
    return place
  }

  settled(): boolean {
    return true
  }

  dueBy(nowMs: number): number {
    const due = this.#due
    while (due.nextMs <= nowMs) {
      this.#onDue(due.nextMs)
      due.advance()
    }
    return due.index
  }
}
