import type { RequestPlace } from '../compiled-workload.ts'
import { Draws, STREAMS } from '../draws.ts'
import type { Executor } from '../executor.ts'
import type { Source } from '../source.ts'
import { TimeHeap } from '../time-heap.ts'

type ReconnectStorm = Extract<Executor, { kind: 'reconnect-storm' }>

/**
 * Devices that come back. A device's first request is due when it begins to connect, so that
 * waiting for the connection counts; each further one when it has the answer to the one before.
 */
export class StormSource implements Source {
  readonly endMs: number
  readonly lastsUntilEnd = false
  readonly ownConnections = true
  readonly #requestsEach: number
  readonly #devices: number
  readonly #due: TimeHeap
  readonly #done: Uint32Array
  readonly #place = { stream: STREAMS.requests, index: 0, serial: 0, kind: 0, device: 0 }
  #taken = 0

  constructor(executor: ReconnectStorm, seed: number, devices: number) {
    this.endMs = executor.durationMs
    this.#requestsEach = executor.requestsEach
    this.#devices = devices
    this.#due = new TimeHeap(devices)
    this.#done = new Uint32Array(devices)
    const draws = new Draws(seed)
    if (executor.requestsEach === 0) return
    for (let device = 0; device < devices; device++) {
      draws.seek(STREAMS.devices, device)
      this.#due.push(draws.next() * executor.withinMs, device)
    }
  }

  get nextMs(): number {
    return this.#due.firstMs < this.endMs ? this.#due.firstMs : Infinity
  }

  get nextOwner(): number {
    return this.#due.firstOwner
  }

  take(): RequestPlace {
    const device = this.#due.firstOwner
    this.#due.pop()
    this.#taken++
    const place = this.#place
    place.device = device
    place.index = place.serial = this.#done[device]++ * this.#devices + device
    return place
  }

  settled(device: number, nowMs: number): boolean {
    if (this.#done[device] >= this.#requestsEach) return false
    this.#due.push(nowMs, device)
    return true
  }

  dueBy(nowMs: number): number {
    return this.#taken + this.#due.countBy(Math.min(nowMs, this.endMs))
  }
}
