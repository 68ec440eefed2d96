import type { Access } from '../model/access.ts'
import { pointCount, type Batch, type EncodedBatch } from '../model/batch.ts'
import { Dictionaries } from '../model/dictionary.ts'
import { decodeFrame, encodeFrame, FrameError } from '../model/frame.ts'
import type { Rejection } from '../model/rejection.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { ValueRules } from '../model/value-rules.ts'
import { REFUSED, type Violations } from '../model/violation.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { Log } from '../ports/log.ts'
import { BatchBuilder } from './batch-builder.ts'
import { checkFrame } from './frame-check.ts'
import { checkFrameValues } from './frame-values.ts'
import type { Door, Ledger } from './ledger.ts'
import type { DeviceRates } from './device-rates.ts'
import type { DevicePolicy, IngestLimits } from './limits.ts'
import { MessageScanner } from './message-scanner.ts'
import { PointSink } from './point-sink.ts'
import { SeparateAppends } from './separate-appends.ts'
import { SeriesMarks } from './series-marks.ts'
import { ValueCheck } from './value-check.ts'

/** A tenant that has sent nothing for so long, or up to twice as long, takes no memory. */
const KEPT_MS = 60_000

/** Puts the points of one request into the sink; synchronous. Throws SyntaxError on bad JSON. */
export type Decode = (sink: PointSink) => void

export interface IngestOutcome {
  /** Points that are durable now. */
  readonly accepted: number
  readonly rejected: readonly Rejection[]
  /** How long a device of it has to wait until its rate has caught up; absent: none has. */
  readonly owedMs?: number
  /** How many of the accepted are not as their product declares them; absent: none. */
  readonly flagged?: number
}

export interface GateOptions {
  readonly log: Log
  readonly table: SeriesTable
  readonly ledger: Ledger
  readonly clock: Clock
  readonly limits: IngestLimits
  readonly devices: DevicePolicy
  /** Every request is an append of its own, so many at once; absent: requests share appends. */
  readonly maxAppends?: number | undefined
  /** How much each device may send; absent: as much as it likes. */
  readonly rates?: DeviceRates | undefined
  /** Told how many points a request brought, refused ones too. */
  readonly onPoints?: (sender: Access, points: number) => void
  /** What products declare of values; absent: nothing. */
  readonly rules?: ValueRules
  /** Called with what broke the rules, of each request that had such, once its points are durable. */
  readonly onViolations?: (violations: Violations) => void
}

/** Who brings a request, and where. */
interface From {
  readonly sender: Access
  readonly door: Door
}

interface Waiter {
  readonly tenant: string
  readonly door: Door
  readonly outcome: IngestOutcome
  readonly violations: Violations | undefined
  readonly resolve: (outcome: IngestOutcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * Where every door's requests become durable batches (group commit).
 *
 * A request is decoded at once, straight into its tenant's open batch. When the log is free, all
 * open batches are sealed and appended together; requests that arrive meanwhile go into the next
 * append. There is no timer: the log's own speed sets the batch. A request resolves when its
 * append is durable, and rejects with the log's error when it failed (the client retries).
 *
 * With `maxAppends` nothing is shared: what a service does that writes each message by itself. It
 * is there to be compared with.
 */
export class IngestGate {
  readonly #options: GateOptions
  readonly #sink: PointSink
  readonly #values: ValueCheck | undefined
  readonly #marks = new SeriesMarks()
  readonly #dictionaries = new Dictionaries()
  /** Those that were used since `#keptSinceMs`, and those of the time before. */
  #builders = new Map<string, BatchBuilder>()
  #olderBuilders = new Map<string, BatchBuilder>()
  #keptSinceMs = 0
  /** Those that have points, and about how much of them. */
  #open: BatchBuilder[] = []
  #openBytes = 0
  readonly #separate: SeparateAppends | undefined
  #frames: EncodedBatch[] = []
  #frameBytes = 0
  #waiters: Waiter[] = []
  #appending = false
  #appendingBytes = 0
  #scheduled = false
  #closed = false
  #idle: (() => void)[] = []

  constructor(options: GateOptions) {
    this.#options = options
    const scanner = new MessageScanner(options.table)
    this.#values = options.rules === undefined ? undefined : new ValueCheck(options.rules)
    const values = this.#values === undefined ? {} : { values: this.#values }
    this.#sink = new PointSink({ ...options, scanner, ...values })
    const { log, maxAppends } = options
    this.#separate = maxAppends === undefined ? undefined : new SeparateAppends(log, maxAppends)
  }

  /** Bytes admitted that the log does not have yet. */
  get pendingBytes(): number {
    const separate = this.#separate?.bytes ?? 0
    return this.#openBytes + this.#frameBytes + this.#appendingBytes + separate
  }

  /**
   * Decodes and admits one request. Refused items are in the outcome, never thrown.
   *
   * Rejects with `WeirError` `overloaded` (nothing was admitted; come back after `retryAfterMs`),
   * `retryable` or `closed` (the log did not take it), and with what `decode` threw.
   */
  ingest(sender: Access, door: Door, decode: Decode): Promise<IngestOutcome> {
    return this.#ingest({ sender, door, rates: this.#options.rates }, decode)
  }

  /**
   * The same for a piece of a file: what devices sent in months is not held to what they may send
   * now, and they owe nothing for it.
   */
  ingestHistory(sender: Access, decode: Decode): Promise<IngestOutcome> {
    return this.#ingest({ sender, door: 'http', rates: undefined }, decode)
  }

  async #ingest(
    { sender, door, rates }: From & { readonly rates: DeviceRates | undefined },
    decode: Decode,
  ): Promise<IngestOutcome> {
    this.#mustHaveRoom()
    const { tenant } = sender
    const builder = this.#builder(tenant)
    const sink = this.#sink
    const nowMs = this.#options.clock.nowMs()
    // Brokers' messages would be lost: there the socket is read slower instead.
    sink.begin(builder, { nowMs, only: sender.device, rates: door === 'http' ? rates : undefined })
    const mark = builder.points
    const bytesBefore = builder.bytes
    try {
      decode(sink)
    } catch (error) {
      sink.restart()
      const detail = error instanceof Error ? error.message : String(error)
      sink.reject('', detail, 'malformed')
      this.#options.ledger.reject(tenant, door, sink.rejections)
      throw error
    } finally {
      if (mark === 0 && builder.points > 0) this.#open.push(builder)
      this.#openBytes += builder.bytes - bytesBefore
    }
    let owedMs = 0
    if (rates !== undefined) {
      builder.visitDevices(mark, (device, points) => {
        rates.take(device, points, nowMs)
        owedMs = Math.max(owedMs, rates.waitMs(device, nowMs))
      })
    }
    const { accepted, rejections: rejected, violations } = sink
    const outcome = owedMs > 0 ? { accepted, rejected, owedMs } : { accepted, rejected }
    return this.#admit({ sender, door }, outcome, violations)
  }

  /** The same for a binary frame of `docs/formats/frame.md`; it goes to the log as it is. */
  async ingestFrame(sender: Access, door: Door, frame: Uint8Array): Promise<IngestOutcome> {
    this.#mustHaveRoom()
    const { tenant, device: only } = sender
    const { limits, table, devices, clock, ledger, rates } = this.#options
    const nowMs = clock.nowMs()
    let entry: EncodedBatch
    let rejected: readonly Rejection[]
    try {
      const decoded = decodeFrame(frame, this.#dictionaries)
      const batch = decoded.tenant === tenant ? decoded : { ...decoded, tenant }
      rejected = checkFrame(batch, { limits, table, devices, only, rates, nowMs })
      entry = { batch, frame: batch === decoded ? frame : encodeFrame(batch) }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      rejected = [{ index: 0, field: '', detail: error.message, reason: 'malformed', points: 1 }]
      ledger.reject(tenant, door, rejected)
      return { accepted: 0, rejected }
    }
    if (rejected.length > 0) {
      // Its form comes from a program, not from a sensor: it is taken whole or not at all.
      ledger.reject(tenant, door, rejected)
      return { accepted: 0, rejected }
    }
    return this.#admitFrame({ sender, door }, entry)
  }

  #admitFrame(from: From, sent: EncodedBatch): IngestOutcome | Promise<IngestOutcome> {
    const { table, rates, clock } = this.#options
    const checked =
      this.#values?.begin(sent.batch.tenant) === true
        ? checkFrameValues(sent, table, this.#values)
        : { entry: sent, rejected: [] }
    const { entry, rejected } = checked
    const points = pointCount(entry.batch)
    if (points > 0) {
      this.#frames.push(entry)
      this.#frameBytes += entry.frame.byteLength
    }
    if (rates !== undefined) takeFrame(entry.batch, { table, rates, nowMs: clock.nowMs() })
    return this.#admit(from, { accepted: points, rejected }, checked.violations)
  }

  /** Resolves when nothing is waiting for the log; afterwards every request is refused. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#separate?.idle()
    if (this.#appending || this.#scheduled) {
      await new Promise<void>(resolve => this.#idle.push(resolve))
    }
  }

  #mustHaveRoom(): void {
    if (this.#closed) throw new WeirError('closed', 'Weir is stopping', { retryAfterMs: 1000 })
    const { maxPendingBytes } = this.#options.limits
    if (this.pendingBytes < maxPendingBytes) return
    const message = `more than ${maxPendingBytes} bytes are waiting for the log`
    throw new WeirError('overloaded', message, {
      limit: 'ingest.maxPendingBytes',
      retryAfterMs: 1000,
    })
  }

  #builder(tenant: string): BatchBuilder {
    let builder = this.#builders.get(tenant)
    if (builder === undefined) {
      builder =
        this.#olderBuilders.get(tenant) ??
        new BatchBuilder(tenant, this.#options.table, this.#marks)
      this.#builders.set(tenant, builder)
    }
    return builder
  }

  #admit(
    { sender, door }: From,
    admitted: IngestOutcome,
    violations?: Violations,
  ): IngestOutcome | Promise<IngestOutcome> {
    const { ledger, onPoints, onViolations } = this.#options
    const { tenant } = sender
    const outcome = violations === undefined ? admitted : withFlagged(admitted, violations)
    onPoints?.(sender, outcome.accepted + outcome.rejected.length)
    if (outcome.rejected.length > 0) ledger.reject(tenant, door, outcome.rejected)
    if (outcome.accepted === 0) {
      if (violations !== undefined) onViolations?.(violations)
      return outcome
    }
    ledger.admit(tenant, outcome.accepted)
    if (this.#separate !== undefined)
      return this.#appendAlone({ sender, door }, outcome, violations)
    if (!this.#appending && !this.#scheduled) {
      // After this turn of the event loop, so that what arrived together is appended together.
      this.#scheduled = true
      setImmediate(() => {
        this.#scheduled = false
        void this.#appendAll()
      })
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ tenant, door, outcome, violations, resolve, reject })
    })
  }

  /** The open batch has this request's points only. */
  async #appendAlone(
    { sender: { tenant }, door }: From,
    outcome: IngestOutcome,
    violations?: Violations,
  ): Promise<IngestOutcome> {
    const { ledger, onViolations } = this.#options
    try {
      await this.#separate?.append(this.#seal())
    } catch (error) {
      ledger.fail(tenant, door, outcome.accepted)
      throw error
    }
    ledger.accept(tenant, door, outcome.accepted)
    if (violations !== undefined) onViolations?.(violations)
    return outcome
  }

  async #appendAll(): Promise<void> {
    this.#appending = true
    while (this.#waiters.length > 0) {
      const waiters = this.#waiters
      this.#waiters = []
      try {
        // Within the try: what cannot be encoded fails its requests, not the process.
        const entries = this.#seal()
        for (const { frame } of entries) this.#appendingBytes += frame.byteLength
        await this.#options.log.append(entries)
        for (const { tenant, door, outcome, violations, resolve } of waiters) {
          this.#options.ledger.accept(tenant, door, outcome.accepted)
          if (violations !== undefined) this.#options.onViolations?.(violations)
          resolve(outcome)
        }
      } catch (error) {
        for (const { tenant, door, outcome, reject } of waiters) {
          this.#options.ledger.fail(tenant, door, outcome.accepted)
          reject(error)
        }
      }
      this.#appendingBytes = 0
    }
    this.#appending = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #seal(): EncodedBatch[] {
    const entries = this.#frames
    this.#frames = []
    this.#frameBytes = 0
    while (this.#open.length > 0) {
      const [builder] = this.#open
      const { bytes } = builder
      // One that could not be encoded the last time has nothing left.
      if (builder.points > 0) {
        const batch = builder.seal()
        this.#openBytes -= bytes
        entries.push({ batch, frame: encodeFrame(batch) })
      }
      this.#open.shift()
    }
    this.#forgetIdle()
    return entries
  }

  /** What many requests need is kept from batch to batch; of a tenant that sends no more it is let go. */
  #forgetIdle(): void {
    const nowMs = this.#options.clock.nowMs()
    if (nowMs - this.#keptSinceMs < KEPT_MS) return
    this.#keptSinceMs = nowMs
    this.#olderBuilders = this.#builders
    this.#builders = new Map()
  }
}

/** What `BatchBuilder.visitDevices` does, for a batch that was not built here. */
function takeFrame(
  batch: Batch,
  { table, rates, nowMs }: { table: SeriesTable; rates: DeviceRates; nowMs: number },
): void {
  const points = new Float64Array(batch.devices.length)
  for (const series of batch.seriesIndex) points[batch.seriesDevice[series]]++
  for (let d = 0; d < points.length; d++) {
    if (points[d] > 0) rates.take(table.device(batch.tenant, batch.devices[d]), points[d], nowMs)
  }
}

function withFlagged(outcome: IngestOutcome, { verdicts }: Violations): IngestOutcome {
  let flagged = 0
  for (const verdict of verdicts) if ((verdict & REFUSED) === 0) flagged++
  return flagged === 0 ? outcome : { ...outcome, flagged }
}
