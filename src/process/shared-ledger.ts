import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../ports/clock.ts'
import type { AgedPage, LedgerBook, LedgerCounts, LedgerPage } from '../ports/ledger-book.ts'
import type { StoreStats } from '../ports/store.ts'
import { sharedReport, tenantPoints, type LedgerReport } from './ledger-report.ts'
import {
  addCounts,
  balance,
  countsSince,
  emptySum,
  foldedPages,
  withoutPending,
  type LedgerSum,
} from './ledger-sum.ts'

export interface SharedLedgerOptions {
  readonly book: LedgerBook
  readonly clock: Clock
  /** What this process has counted since its start, by tenant. */
  readonly own: () => ReadonlyMap<string, LedgerCounts>
  readonly storeStats: () => Promise<StoreStats>
  /** Whether the store has everything that was in the log at the call, or `logAgeMs` before it. */
  readonly isDrained: () => Promise<boolean>
  /** Entries of the log that the store did not have at the call, as far as this process knows. */
  readonly backlog?: () => Promise<number>
  /** How old what is known of the end of the log can be; absent: it is the end. */
  readonly logAgeMs?: number
  readonly operatorTenant: string
  /** The book could not be written; it is tried again. */
  readonly onError: (error: unknown) => void
}

const WRITE_INTERVAL_MS = 1000
/** A page is written so often although nothing has changed, as a sign of life. */
const SIGN_INTERVAL_MS = 3000
/** Without a sign of life for so long a process counts as killed. */
const KILLED_AFTER_MS = 10_000
/** Then its page may be put together with others. A process that wakes up begins a new one. */
const FOLDED_AFTER_MS = 3_600_000
const TIDY_INTERVAL_MS = 10_000
/** Counts of several processes are of different moments: an imbalance is looked at again for so long. */
const MEASURE_MS = 1500
const MEASURE_PAUSE_MS = 250

/**
 * The ledger of an installation whose store is shared, by one process or by many: the doors' half is
 * the sum of what all of them have written in the book, and this process's own, which is fresh.
 */
export class SharedLedger {
  readonly #options: SharedLedgerOptions
  #process = randomUUID()
  /** What pages that are not this process's any more have of its counts. */
  readonly #base = new Map<string, LedgerCounts>()
  #written: LedgerPage | undefined
  #writtenText = ''
  #writtenMs = -Infinity
  #work = Promise.resolve()
  #stops: (() => void)[] = []

  constructor(options: SharedLedgerOptions) {
    this.#options = options
  }

  /** Begins this process's page. Call it when the store has what the log had. */
  async start(): Promise<void> {
    const { clock, onError } = this.#options
    await this.#write('open')
    await this.#tidy()
    this.#stops = [
      clock.every(WRITE_INTERVAL_MS, () => void this.#next(() => this.#write('open'))),
      clock.every(TIDY_INTERVAL_MS, () => void this.#next(() => this.#tidy().catch(onError))),
    ]
  }

  /** Of all tenants, or of one. Rejects with the store's or the book's error. */
  async report(tenant?: string): Promise<LedgerReport> {
    const { logAgeMs = 0 } = this.#options
    const until = performance.now() + MEASURE_MS + logAgeMs
    const first = await this.#measure(tenant)
    for (let last = first; ; last = await this.#measure(tenant)) {
      if (last.exact.imbalance === 0) return last.exact
      // Points go on coming: what is missing may be in the log, whose end is known of before them.
      if (logAgeMs > 0 && last.acknowledged !== first.acknowledged) return last.loose
      if (performance.now() > until) return last.exact
      await delay(MEASURE_PAUSE_MS)
    }
  }

  /** After the doors and the writer: the last counts. What cannot be written is only warned of. */
  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop()
    await this.#next(() => this.#write('closed'))
  }

  /** `loose`: as if some of what is in the log might not be in the store. */
  async #measure(tenant: string | undefined) {
    const { book, storeStats, operatorTenant, isDrained } = this.#options
    const others = (await book.pages()).filter(page => page.process !== this.#process)
    const before = this.#sum(others, tenant)
    const drained = await isDrained()
    const stats = await storeStats()
    // After the count, so that none of them is in it. Whose they are is not known.
    const entries = tenant === undefined ? ((await this.#options.backlog?.()) ?? 0) : 0
    const after = this.#sum(others, tenant)
    const points = tenant === undefined ? stats : tenantPoints(stats, { tenant, operatorTenant })
    // What the store counts is of all tenants.
    const counted = tenant === undefined ? stats.deadLettered : undefined
    const deadLettered = counted ?? after.deadLettered
    const reportOf = (isSure: boolean): LedgerReport => {
      const balanced = balance({
        ...{ before, after, deadLettered, isDrained: isSure, mayMiss: mayMiss(others) },
        backlog: entries,
        accounted: points.stored + points.duplicate + points.unsettled + deadLettered,
      })
      const { damagedBlocks = 0 } = stats
      return sharedReport({ points, balanced, atDoors: after.pending, damagedBlocks })
    }
    const acknowledged = before.received - before.pending
    return { exact: reportOf(drained), loose: reportOf(false), acknowledged }
  }

  #sum(others: readonly AgedPage[], tenant: string | undefined): LedgerSum {
    const sum = emptySum()
    const add = (name: string, counts: LedgerCounts): void => {
      if (tenant === undefined || tenant === name) addCounts(sum, counts)
    }
    for (const [name, counts] of this.#own()) add(name, counts)
    for (const page of others) {
      for (const [name, counts] of page.tenants) {
        add(name, isKilled(page) ? withoutPending(counts) : counts)
      }
    }
    return sum
  }

  /** What this process's page has to say. */
  #own(): Map<string, LedgerCounts> {
    const own = new Map(this.#options.own())
    for (const [tenant, base] of this.#base) own.set(tenant, countsSince(own.get(tenant)!, base))
    return own
  }

  /** One after the other. */
  #next(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work)
    return this.#work
  }

  async #write(state: 'open' | 'closed'): Promise<void> {
    const { book, clock, onError } = this.#options
    const tenants = this.#own()
    const text = JSON.stringify([...tenants])
    const nowMs = clock.nowMs()
    const isOld = Math.abs(nowMs - this.#writtenMs) >= SIGN_INTERVAL_MS
    if (state === 'open' && text === this.#writtenText && !isOld) return
    try {
      const page = { process: this.#process, state, tenants }
      if (!(await book.replace(this.#written === undefined ? [] : [this.#process], page))) {
        return await this.#beginAnew(state)
      }
      this.#written = page
      this.#writtenText = text
      this.#writtenMs = nowMs
    } catch (error) {
      onError(error)
    }
  }

  /** This process was taken for killed, for a long time, and its page is part of another. */
  async #beginAnew(state: 'open' | 'closed'): Promise<void> {
    for (const [tenant, counts] of this.#written?.tenants ?? []) {
      const before = this.#base.get(tenant)
      const sum = addCounts(emptySum(), withoutPending(counts))
      if (before !== undefined) addCounts(sum, before)
      this.#base.set(tenant, { ...sum, rejected: Object.fromEntries(sum.rejected) })
    }
    this.#process = randomUUID()
    this.#written = undefined
    await this.#write(state)
  }

  /** Puts pages of processes that have ended together, so that there are never many. */
  async #tidy(): Promise<void> {
    const { book } = this.#options
    const others = (await book.pages()).filter(page => page.process !== this.#process)
    if (!others.some(page => page.state === 'open' && !isKilled(page))) {
      if (mayMiss(others)) return this.#settle(others)
    }
    const ended = others.filter(({ state, ageMs }) => state !== 'open' || ageMs > FOLDED_AFTER_MS)
    if (ended.length < 2) return
    await book.replace(
      ended.map(({ process }) => process),
      foldedPages(randomUUID(), ended),
    )
  }

  /**
   * No other process runs, and this one is at rest: what the store has beyond everybody's counts is
   * what killed processes did not live to tell. From here on a surplus is an imbalance again.
   */
  async #settle(others: readonly AgedPage[]): Promise<void> {
    const { book, storeStats, operatorTenant, isDrained } = this.#options
    const before = JSON.stringify([...this.#own()])
    if ([...this.#own().values()].some(({ pending }) => pending > 0)) return
    if (!(await isDrained())) return
    const stats = await storeStats()
    const own = this.#own()
    if (JSON.stringify([...own]) !== before) return
    const folded = foldedPages(randomUUID(), others)
    const tenants = new Map(folded.tenants)
    for (const tenant of new Set([operatorTenant, ...stats.tenants.keys(), ...own.keys()])) {
      const points = tenantPoints(stats, { tenant, operatorTenant })
      const sum = this.#sum(others, tenant)
      // Dead letters are not counted by tenant in every store; a surplus does not come from them.
      const accounted = points.stored + points.duplicate + points.unsettled
      const sides = { before: sum, after: sum, accounted, deadLettered: 0 }
      const { uncounted } = balance({ ...sides, isDrained: true, mayMiss: true })
      const had = tenants.get(tenant) ?? NOTHING
      tenants.set(tenant, { ...had, received: had.received + uncounted })
    }
    await book.replace(
      others.map(({ process }) => process),
      { ...folded, state: 'closed', tenants },
    )
  }
}

const NOTHING: LedgerCounts = { received: 0, pending: 0, deadLettered: 0, rejected: {} }

function isKilled({ state, ageMs }: AgedPage): boolean {
  return state === 'open' && ageMs > KILLED_AFTER_MS
}

/** Others run, whose pages are a second behind, or were killed; or there was a store before the book. */
function mayMiss(others: readonly AgedPage[]): boolean {
  return others.some(({ state }) => state !== 'closed') || others.length === 0
}
