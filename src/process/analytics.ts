import { SEVERITIES, type Anomaly, type Severity } from '../model/anomaly.ts'
import { pointCount, type Batch } from '../model/batch.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log, LogEntry, LogPosition, Subscription } from '../ports/log.ts'
import { restoreState, saveState } from './analytics-state.ts'
import type { AnomalyJournal } from './anomaly-journal.ts'
import type { Detector, DetectorCounts } from './detectors/detector.ts'
import { Findings } from './detectors/findings.ts'
import { SeriesSlots } from './detectors/series-slots.ts'
import { TimeOrder } from './detectors/time-order.ts'

export const ANALYTICS_GROUP = 'analytics'

/** How long the doors wait for one slice of the work. */
const SLICE_MS = 2
/** Bytes of entries that wait to be looked at; beyond it the log's delivery waits. */
const MAX_PENDING_BYTES = 32 << 20

export interface AnalyticsOptions {
  readonly log: Log
  readonly table: SeriesTable
  readonly clock: Clock
  readonly detectors: readonly Detector[]
  readonly journal: AnomalyJournal
  /** Where the state is kept between runs. */
  readonly statePath: string
  readonly maxSeries: number
  readonly snapshotIntervalMs: number
  /** Bytes of the log that may be held for the next snapshot; beyond it one is made at once. */
  readonly snapshotBytes: number
  /** Found in new points, not in replayed ones. */
  readonly onAnomaly: (anomaly: Anomaly) => void
  /** The state could not be kept or brought back; the analytics go on. */
  readonly onWarning: (error: unknown, message: string) => void
}

/** What the metrics show, since the process started. */
export interface AnalyticsCounts extends DetectorCounts {
  readonly points: number
  readonly series: number
  readonly evicted: number
  readonly suppressed: number
  readonly found: ReadonlyMap<Severity, number>
}

/**
 * Shows every durable batch to the detectors, in the order of the log, and keeps what they find.
 *
 * A consumer group of its own. Delivery only queues the entries: they are looked at in slices
 * after the acknowledgement, so that this costs a request time on the processor but no waiting.
 * What was found is saved, then the detectors' state with its positions, then the group commits
 * these: after a crash the state and the rest of the log lead to where it was, and what is found
 * a second time is saved over itself.
 *
 * The points are safe without the analytics, so these never stop them: when the state cannot be
 * written for long, the log is released all the same, and a restart goes on with an older state.
 */
export class Analytics {
  readonly #options: AnalyticsOptions
  readonly #slots: SeriesSlots
  readonly #findings = new Findings()
  readonly #order = new TimeOrder()
  /** Behind the last entry that was taken, of each partition that had one since the start. */
  readonly #next = new Map<number, number>()
  #queue: LogEntry[] = []
  #head = 0
  #pendingBytes = 0
  #pendingPoints = 0
  #heldBytes = 0
  #points = 0
  #live = false
  #scheduled = false
  #failed = false
  #snapshotting: Promise<void> | undefined
  #subscription: Subscription | undefined
  #roomWanted: (() => void)[] = []
  #stopTicks = (): void => {}

  constructor(options: AnalyticsOptions) {
    this.#options = options
    const { table, detectors, maxSeries } = options
    this.#slots = new SeriesSlots({
      table,
      maxSlots: maxSeries,
      onGrow: slots => detectors.forEach(detector => detector.reserve(slots)),
      onAdmit: (slot, series) => {
        const metric = table.metricOf(series)
        for (const detector of detectors) detector.admit(slot, metric)
      },
    })
  }

  /** Points delivered that the detectors have not seen. */
  get pendingPoints(): number {
    return this.#pendingPoints
  }

  counts(): AnalyticsCounts {
    const { detectors, journal } = this.#options
    let late = 0
    let repeated = 0
    for (const { counts } of detectors) {
      late += counts.late
      repeated += counts.repeated
    }
    return {
      ...{ late, repeated, points: this.#points },
      series: this.#slots.count,
      evicted: this.#slots.evicted,
      found: journal.found,
      suppressed: journal.suppressed + this.#findings.suppressed,
    }
  }

  /**
   * Brings back the state and subscribes. Call it before the writer starts: until a group has
   * subscribed, the log keeps nothing for it.
   */
  async start(): Promise<void> {
    const { log } = this.#options
    this.#subscription = await log.subscribe({
      group: ANALYTICS_GROUP,
      from: await this.#restore(),
      deliver: entries => this.#deliver(entries),
    })
  }

  /**
   * Resolves when what the log had at the start is looked at. Call it once every group has
   * subscribed: from then on the log may be trimmed.
   */
  async catchUp(): Promise<void> {
    const { clock, snapshotIntervalMs } = this.#options
    await this.#subscription?.caughtUp
    this.#live = true
    this.#stopTicks = clock.every(snapshotIntervalMs, () => void this.#trySnapshot())
  }

  /**
   * Resolves when everything that was acknowledged before the call is looked at and saved; rejects
   * when it could not be saved.
   */
  async settle(): Promise<void> {
    while (this.#snapshotting !== undefined) await this.#snapshotting.catch(() => {})
    this.#takeAll()
    await this.#options.journal.save()
  }

  /** The subscription ends, the rest is looked at, and the state is kept. */
  async close(): Promise<void> {
    this.#stopTicks()
    this.#options.journal.stop()
    const ended = this.#subscription?.close()
    while (this.#snapshotting !== undefined) await this.#snapshotting.catch(() => {})
    this.#takeAll()
    await ended
    this.#takeAll()
    await this.#trySnapshot()
  }

  /**
   * The positions to read from, of partitions that were read here. A state that is of no use is left
   * behind, with a warning.
   */
  async #restore(): Promise<readonly LogPosition[]> {
    const { statePath, detectors, table, log, onWarning } = this.#options
    let saved: readonly LogPosition[] | undefined
    try {
      saved = await restoreState(statePath, { table, slots: this.#slots, detectors })
    } catch (error) {
      onWarning(error, 'the state of the analytics is damaged: they begin without a past')
    }
    return log.status().partitions.flatMap(({ partition, first, next }) => {
      const at = saved?.find(position => position.partition === partition)?.offset
      // Behind the log's end: it is another log. Before its start: it was released meanwhile.
      return at === undefined || at > next ? [] : [{ partition, offset: Math.max(at, first) }]
    })
  }

  #deliver(entries: readonly LogEntry[]): void | Promise<void> {
    for (const entry of entries) {
      this.#queue.push(entry)
      this.#pendingBytes += entry.frame.byteLength
      this.#pendingPoints += pointCount(entry.batch)
    }
    if (!this.#live) return this.#replay()
    this.#schedule()
    if (this.#pendingBytes > MAX_PENDING_BYTES) return this.#room()
  }

  /** At once, and saved chunk by chunk: there may be more than what may wait. Never rejects. */
  async #replay(): Promise<void> {
    try {
      await this.settle()
    } catch (error) {
      this.#options.onWarning(error, 'anomalies of the replay wait to be saved')
    }
  }

  async #room(): Promise<void> {
    while (this.#pendingBytes > MAX_PENDING_BYTES / 2) {
      await new Promise<void>(resolve => this.#roomWanted.push(resolve))
    }
  }

  #wake(): void {
    for (const resolve of this.#roomWanted.splice(0)) resolve()
  }

  #schedule(): void {
    if (this.#scheduled || this.#snapshotting !== undefined) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#snapshotting === undefined) this.#slice()
    })
  }

  #slice(): void {
    const until = performance.now() + SLICE_MS
    while (this.#head < this.#queue.length) {
      this.#take()
      if (performance.now() > until) break
    }
    this.#wake()
    if (this.#heldBytes > this.#options.snapshotBytes && !this.#failed) void this.#trySnapshot()
    if (this.#head < this.#queue.length) this.#schedule()
  }

  #takeAll(): void {
    while (this.#head < this.#queue.length) this.#take()
    this.#wake()
  }

  /** The next entry of the queue. */
  #take(): void {
    const { batch, frame, position } = this.#queue[this.#head++]
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    }
    const points = pointCount(batch)
    this.#pendingBytes -= frame.byteLength
    this.#pendingPoints -= points
    this.#heldBytes += frame.byteLength
    this.#points += points
    this.#next.set(position.partition, position.offset + 1)
    const { seriesIndex, timestamps, values } = batch
    const slots = this.#slots.slotsOf(batch)
    const order = this.#order.of(batch, slots.length)
    for (const detector of this.#options.detectors) {
      this.#findings.clear()
      detector.detect({ slots, seriesIndex, timestamps, values, order }, this.#findings)
      if (this.#findings.count > 0) this.#keep(batch, detector.name)
    }
  }

  #keep(batch: Batch, detector: string): void {
    const { journal, onAnomaly } = this.#options
    const { count, index, average, score, severity } = this.#findings
    for (let row = 0; row < count; row++) {
      if (!journal.admits(this.#live)) continue
      const point = index[row]
      const series = batch.seriesIndex[point]
      const mean = average[row]
      const value = batch.values[point]
      const anomaly: Anomaly = {
        tenant: batch.tenant,
        device: batch.devices[batch.seriesDevice[series]],
        metric: batch.metrics[batch.seriesMetric[series]],
        timeUs: batch.timestamps[point],
        detector,
        severity: SEVERITIES[severity[row]],
        value,
        average: mean,
        deviationPct: deviationPct(value, mean),
        score: score[row],
      }
      journal.add(anomaly)
      if (this.#live) onAnomaly(anomaly)
    }
  }

  /** Never rejects. After a failure the next tick tries again, and no entry before it. */
  async #trySnapshot(): Promise<void> {
    const { snapshotBytes, onWarning, log } = this.#options
    if (!this.#live || this.#snapshotting !== undefined || this.#heldBytes === 0) return
    try {
      await this.#snapshot()
      this.#failed = false
    } catch (error) {
      this.#failed = true
      onWarning(error, 'the state of the analytics could not be kept; it is tried again')
      if (this.#heldBytes < 4 * snapshotBytes) return
      this.#heldBytes = 0
      await log.commit(ANALYTICS_GROUP, this.#positions()).catch(() => {})
    }
  }

  /** While it is written the state stands still, and entries wait. */
  #snapshot(): Promise<void> {
    this.#snapshotting ??= this.#keepState().finally(() => {
      this.#snapshotting = undefined
      this.#schedule()
    })
    return this.#snapshotting
  }

  async #keepState(): Promise<void> {
    const { journal, statePath, table, detectors, log } = this.#options
    const positions = this.#positions()
    await journal.sync()
    await saveState(statePath, { table, slots: this.#slots, detectors }, positions)
    this.#heldBytes = 0
    await log.commit(ANALYTICS_GROUP, positions)
  }

  #positions(): LogPosition[] {
    return [...this.#next].map(([partition, offset]) => ({ partition, offset }))
  }
}

/** Percent of the average's size by which a value is off; undefined where there is no such thing. */
export function deviationPct(value: number, average: number): number | undefined {
  const percent = ((value - average) / Math.abs(average)) * 100
  return Number.isFinite(percent) ? percent : undefined
}
