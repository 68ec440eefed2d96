import type { SeriesTable } from '../model/series-table.ts'
import { OUT_OF_RANGE, REFUSED, type Violations } from '../model/violation.ts'

/** Values of a device that were not as its product declares them, since this process started. */
export interface DeviceViolations {
  readonly flagged: number
  readonly refused: number
}

/** What is new of a device since it was told of last. */
export interface ViolationNews extends DeviceViolations {
  readonly tenant: string
  readonly device: string
  /** The last one. */
  readonly metric: string
  /** Absent: it was text. */
  readonly value: number | undefined
  readonly timeUs: number
  readonly reason: 'wrong_type' | 'out_of_range'
}

export interface ViolationTotal {
  readonly outcome: 'flagged' | 'refused'
  readonly reason: 'wrong_type' | 'out_of_range'
  readonly count: number
}

/** Devices of which there is news, at most; those of others are only counted. */
const MAX_NEWS = 10_000
/** News told at a time. */
const MAX_TOLD = 1000

interface News {
  flagged: number
  refused: number
  series: number
  value: number
  timeUs: number
  verdict: number
}

/** Counts values that are not as declared, and keeps what is new until it is told. */
export class ViolationCounts {
  readonly #table: SeriesTable
  /** By `DeviceEntry.id`: flagged at 2 * id, refused after it. */
  #counts = new Float64Array(0)
  /** By verdict. */
  readonly #totals = new Float64Array(8)
  readonly #news = new Map<number, News>()

  constructor(table: SeriesTable) {
    this.#table = table
  }

  count({ series, verdicts, values, timestamps }: Violations): void {
    for (let i = 0; i < series.length; i++) {
      const device = this.#table.deviceOf(series[i])
      const verdict = verdicts[i]
      const isRefused = (verdict & REFUSED) !== 0
      if (2 * device.id >= this.#counts.length) this.#grow(device.id)
      this.#counts[2 * device.id + (isRefused ? 1 : 0)]++
      this.#totals[verdict]++
      const news = this.#newsOf(device.id)
      if (news === undefined) continue
      if (isRefused) news.refused++
      else news.flagged++
      news.series = series[i]
      news.value = values[i]
      news.timeUs = timestamps[i]
      news.verdict = verdict
    }
  }

  of(id: number): DeviceViolations {
    if (2 * id >= this.#counts.length) return { flagged: 0, refused: 0 }
    return { flagged: this.#counts[2 * id], refused: this.#counts[2 * id + 1] }
  }

  /** The device is registered no more. */
  forget(id: number): void {
    this.#news.delete(id)
    this.#counts.fill(0, 2 * id, 2 * id + 2)
  }

  totals(): ViolationTotal[] {
    return [...this.#totals.entries()]
      .filter(([, count]) => count > 0)
      .map(([verdict, count]) => ({
        outcome: (verdict & REFUSED) === 0 ? 'flagged' : 'refused',
        reason: reasonOf(verdict),
        count,
      }))
  }

  /** Tells what is new, of so many devices at a time. */
  drain(tell: (news: ViolationNews) => void): void {
    let told = 0
    for (const [id, { flagged, refused, series, value, timeUs, verdict }] of this.#news) {
      if (told++ === MAX_TOLD) return
      this.#news.delete(id)
      const { tenant, name } = this.#table.deviceAt(id)
      tell({
        ...{ tenant, device: name, metric: this.#table.metricOf(series) },
        value: Number.isNaN(value) ? undefined : value,
        ...{ timeUs, reason: reasonOf(verdict), flagged, refused },
      })
    }
  }

  #newsOf(id: number): News | undefined {
    let news = this.#news.get(id)
    if (news === undefined && this.#news.size < MAX_NEWS) {
      news = { flagged: 0, refused: 0, series: 0, value: 0, timeUs: 0, verdict: 0 }
      this.#news.set(id, news)
    }
    return news
  }

  #grow(id: number): void {
    const larger = new Float64Array(Math.max(256, 4 * (id + 1)))
    larger.set(this.#counts)
    this.#counts = larger
  }
}

function reasonOf(verdict: number): 'wrong_type' | 'out_of_range' {
  return (verdict & OUT_OF_RANGE) === 0 ? 'wrong_type' : 'out_of_range'
}
