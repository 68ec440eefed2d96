import type { Batch } from '../model/batch.ts'
import { encodeFrame } from '../model/frame.ts'
import type { LogEntry, LogPosition } from '../ports/log.ts'

export interface TestPoint {
  readonly device: string
  readonly metric: string
  readonly time: number
  readonly value?: number
  readonly text?: string | undefined
}

/** A batch of points in the order given. For tests only. */
export function batchOf(tenant: string, points: readonly TestPoint[]): Batch {
  const devices = [...new Set(points.map(({ device }) => device))]
  const metrics = [...new Set(points.map(({ metric }) => metric))]
  const keys = [...new Set(points.map(({ device, metric }) => JSON.stringify([device, metric])))]
  const names = keys.map(key => JSON.parse(key) as [string, string])
  const places = new Map(keys.map((key, i) => [key, i]))
  const batch = {
    ...{ tenant, devices, metrics },
    seriesDevice: Uint32Array.from(names, ([device]) => devices.indexOf(device)),
    seriesMetric: Uint32Array.from(names, ([, metric]) => metrics.indexOf(metric)),
    seriesIndex: Uint32Array.from(points, ({ device, metric }) =>
      places.get(JSON.stringify([device, metric]))!,
    ),
    timestamps: Float64Array.from(points, ({ time }) => time),
    values: Float64Array.from(points, ({ value }) => value ?? NaN),
  }
  if (points.every(({ text }) => text === undefined)) return batch
  return { ...batch, texts: points.map(({ text }) => text) }
}

/** A log in memory: keeps every entry, so that a store can be fed again from its positions. */
export class TestLog {
  readonly #entries: LogEntry[] = []
  readonly #next = new Map<number, number>()

  append(batch: Batch, partition = 0): LogEntry {
    const offset = this.#next.get(partition) ?? 0
    this.#next.set(partition, offset + 1)
    const entry = { batch, frame: encodeFrame(batch), position: { partition, offset } }
    this.#entries.push(entry)
    return entry
  }

  /** Every entry that a store at these positions does not have durably, in order. */
  from(positions: readonly LogPosition[]): LogEntry[] {
    const first = new Map(positions.map(({ partition, offset }) => [partition, offset]))
    return this.#entries.filter(
      ({ position }) => position.offset >= (first.get(position.partition) ?? 0),
    )
  }

  get entries(): readonly LogEntry[] {
    return this.#entries
  }
}

/** Numbers from a seed, for tests that must be repeatable. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 ≤ x < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer, from ≤ x < to. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length)]
  }

  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.between(0, i + 1)
      ;[list[i], list[j]] = [list[j], list[i]]
    }
    return list
  }
}

/** The seed of WEIR_SEED, or a new one; a test prints it. */
export function testSeed(): number {
  const { WEIR_SEED } = process.env
  return WEIR_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(WEIR_SEED)
}
