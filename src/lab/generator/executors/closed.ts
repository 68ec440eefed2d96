import type { RequestPlace } from '../compiled-workload.ts'
import { Draws, STREAMS } from '../draws.ts'
import type { Executor } from '../executor.ts'
import type { Source } from '../source.ts'
import { TimeHeap } from '../time-heap.ts'

type Closed = Extract<Executor, { kind: 'closed' }>

/**
 * Users who wait for their answers. What a user does depends on the seed, the user and how often
 * it has done something, and not on the others. They begin spread over their longest pause.
 */
export class ClosedLoop implements Source {
  readonly endMs: number
  readonly lastsUntilEnd: boolean
  readonly ownConnections = false
  readonly #executor: Closed
  readonly #due: TimeHeap
  readonly #done: Uint32Array
  readonly #draws: Draws
  readonly #place = { stream: 0, index: 0, serial: 0 }
  #taken = 0

  constructor(executor: Closed, seed: number) {
    this.#executor = executor
    this.endMs = executor.durationMs
    this.lastsUntilEnd = executor.iterations === undefined
    const { users, thinkMs } = executor
    this.#due = new TimeHeap(users)
    this.#done = new Uint32Array(users)
    this.#draws = new Draws(seed)
    for (let user = 0; user < users; user++) {
      this.#draws.seek(STREAMS.users, user)
      this.#due.push(this.#draws.next() * thinkMs[1], user)
    }
  }

  get nextMs(): number {
    return this.#due.firstMs < this.endMs ? this.#due.firstMs : Infinity
  }

  get nextOwner(): number {
    return this.#due.firstOwner
  }

  take(): RequestPlace {
    const user = this.#due.firstOwner
    this.#due.pop()
    this.#taken++
    const place = this.#place
    place.stream = streamOf(user)
    place.index = this.#done[user]++
    place.serial = place.index * this.#executor.users + user
    return place
  }

  settled(user: number, nowMs: number): boolean {
    const { iterations = Infinity, thinkMs } = this.#executor
    if (this.#done[user] >= iterations) return false
    this.#draws.seek(STREAMS.users - streamOf(user), this.#done[user])
    const pauseMs = thinkMs[0] + this.#draws.next() * (thinkMs[1] - thinkMs[0])
    this.#due.push(nowMs + pauseMs, user)
    return true
  }

  dueBy(nowMs: number): number {
    return this.#taken + this.#due.countBy(Math.min(nowMs, this.endMs))
  }
}

/** A stream for the requests of each user; the negative ones are of the pauses. */
function streamOf(user: number): number {
  return 1000 + user
}
