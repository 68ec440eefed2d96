import { sqlState } from '../../postgres/postgres-error.ts'
import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, PostgresPool } from '../../postgres/postgres-pool.ts'
import { pointCount } from '../../model/batch.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogPosition } from '../../ports/log.ts'
import type { StoreEntry } from '../../ports/store.ts'
import { entryProblem, mergeEntries } from './merge.ts'
import type { Merge } from './merge.ts'
import { lacksPartition } from './partitions.ts'
import type { Partitions } from './partitions.ts'
import type { Positions } from './positions.ts'
import type { SeriesIndex } from './series-index.ts'
import {
  append,
  copyPoints,
  count,
  insertAndCount,
  mergeAndCount,
  mergePoints,
  settle,
} from './statements.ts'
import type { CounterRow } from './statements.ts'

/** An entry on its way. */
export interface Item {
  readonly entry: StoreEntry
  /** Called once, when it is committed, or, with why, when it can never be stored and that is. */
  readonly settle: (refusal?: WeirError) => void
}

export interface CommitterOptions {
  readonly pool: PostgresPool
  readonly index: SeriesIndex
  readonly partitions: Partitions
  readonly positions: Positions
  /** Whether the newest point of each series is kept in a table of its own. */
  readonly keepsLatest: boolean
}

/** What of some items is to be written. */
interface Work {
  readonly entries: readonly StoreEntry[]
  /** With why. */
  readonly dead: ReadonlyMap<Item, WeirError>
  readonly positions: readonly LogPosition[]
}

/** Points that one statement writes in less time than a transaction of several takes. */
const SMALL_POINTS = 500
const TRIES = 5
const RETRY_AFTER_MS = 1000
const UNIQUE_VIOLATION = '23505'

/**
 * Writes entries in one transaction: points, newest points, counters and log positions, or nothing of them.
 *
 * Points that are newer than what their series has are copied, which is by far the fastest way but fails where a key is
 * there already; then all of it is merged. What is late is merged from the start.
 */
export class Committer {
  readonly #options: CommitterOptions

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  /**
   * Resolves when the items are committed, those that can never be stored too.
   * @throws WeirError when nothing of them is
   */
  async commit(items: readonly Item[]): Promise<void> {
    try {
      await this.#commit(items)
    } catch (error) {
      if (!(error instanceof WeirError) || error.kind !== 'rejected') throw error
      // The server refuses something of it; one by one shows what.
      if (items.length > 1) for (const item of items) await this.commit([item])
      else await this.#bury(items[0], error)
    }
  }

  async #commit(items: readonly Item[]): Promise<void> {
    const { positions, partitions, keepsLatest } = this.#options
    // Without newest points nothing is known to be late: the first try finds out.
    let isLate = false
    for (let left = TRIES; ; left--) {
      const work = this.#sift(items)
      let merge: Merge | undefined
      try {
        merge = await this.#merge(work, isLate ? 'late' : keepsLatest ? undefined : 'fresh')
        await partitions.ensure(merge.spans)
        if (await this.#write(work, merge)) {
          positions.moved(work.positions)
          for (const item of items) item.settle(work.dead.get(item))
          return
        }
        // Another process has gone on with the log: sift again.
      } catch (error) {
        if (merge !== undefined && keepsLatest) this.#options.index.doubt(merge.slots)
        const { cause } = error as Error
        const isUnplaced = lacksPartition(cause)
        if (left <= 1) throw isUnplaced ? unplaced(cause) : error
        if (isUnplaced) await this.#remake(work)
        else if (sqlState(cause) === UNIQUE_VIOLATION && !isLate) isLate = true
        else throw error
      }
    }
  }

  /** Leaves out what the log positions cover already. */
  #sift(items: readonly Item[]): Work {
    const next = new Map<number, number>()
    const entries: StoreEntry[] = []
    const dead = new Map<Item, WeirError>()
    for (const item of items) {
      const { position } = item.entry
      if (position !== undefined) {
        const { partition, offset } = position
        const covered = next.get(partition) ?? this.#options.positions.next(partition)
        next.set(partition, Math.max(covered, offset + 1))
        if (offset < covered) continue
      }
      const problem = entryProblem(item.entry)
      if (problem === undefined) entries.push(item.entry)
      else dead.set(item, new WeirError('rejected', problem))
    }
    const positions = [...next].map(([partition, offset]) => ({ partition, offset }))
    return { entries, dead, positions: positions.sort((a, b) => a.partition - b.partition) }
  }

  async #merge({ entries }: Work, takenFor?: 'fresh' | 'late'): Promise<Merge> {
    const { index, partitions } = this.#options
    const slots = await index.slotsOf(entries.map(({ batch }) => batch))
    return mergeEntries(entries, { index, slots, spanUs: partitions.spanUs, takenFor })
  }

  /** False when the positions were elsewhere, and nothing was written. */
  async #write(work: Work, merge: Merge): Promise<boolean> {
    const { pool, keepsLatest } = this.#options
    const isPlain = work.positions.length === 0 && work.dead.size === 0
    const [tenant] = merge.tenants
    if (isPlain && tenant === undefined) return true
    if (isPlain && keepsLatest && merge.late.ids.length === 0) {
      const { fresh, latest } = merge
      if (fresh.ids.length <= SMALL_POINTS) {
        await pool.query(append(fresh, latest, countersOf(merge, new Map(), work.dead)))
        return true
      }
    }
    if (isPlain && !keepsLatest && merge.tenants.size === 1) {
      const [name, { points }] = tenant
      const { fresh, late } = merge
      if (fresh.ids.length > 0)
        await pool.query(insertAndCount(fresh, name, points - fresh.ids.length))
      else await pool.query(mergeAndCount(late, { tenant: name, points }))
      return true
    }
    return pool.transaction(client => this.#inTransaction(client, work, merge))
  }

  // oxlint-disable-next-line max-params -- what a transaction is given
  async #inTransaction(client: PostgresClient, work: Work, merge: Merge): Promise<boolean> {
    const { positions, keepsLatest, index } = this.#options
    if (work.positions.length > 0) {
      const partitions = work.positions.map(({ partition }) => partition)
      if (!(await positions.lock(client, partitions))) return false
    }
    const { fresh, late, latest } = merge
    if (fresh.ids.length > 0) await copyPoints(client, fresh)
    const made = new Map<string, number>()
    if (late.ids.length > 0) {
      const bySeries = await mergePoints(client, late)
      for (const slot of merge.slots) {
        const count = bySeries.get(index.ids[slot]) ?? 0
        const tenant = index.tenantOf(slot)
        if (count > 0) made.set(tenant, (made.get(tenant) ?? 0) + count)
      }
    }
    const counts = countersOf(merge, made, work.dead)
    if (keepsLatest && latest.ids.length > 0) await run(client, settle(latest, counts))
    else if (counts.length > 0) await run(client, count(counts))
    if (work.positions.length > 0) await positions.move(client, work.positions)
    return true
  }

  /** The server will never take it: its position counts as taken, its points as dead. */
  async #bury(item: Item, error: WeirError): Promise<void> {
    const { pool, positions } = this.#options
    for (let left = TRIES; left > 0; left--) {
      const work = { ...this.#sift([item]), entries: [], dead: new Map([[item, error]]) }
      const merge = mergeEntries([], { index: this.#options.index, slots: [], spanUs: 1 })
      if (await pool.transaction(client => this.#inTransaction(client, work, merge))) {
        positions.moved(work.positions)
        break
      }
    }
    item.settle(error)
  }

  async #remake({ entries }: Work): Promise<void> {
    const { partitions } = this.#options
    await partitions.relearn()
    const times = new Set<number>()
    for (const { batch } of entries) for (const time of batch.timestamps) times.add(time)
    await partitions.ensure(times)
  }
}

/** The server says that the points are wrong, but another time there is a place for them. */
function unplaced(cause: unknown): WeirError {
  const message = 'PostgreSQL: the partitions that points need are gone again and again'
  return new WeirError('retryable', message, { cause, retryAfterMs: RETRY_AFTER_MS })
}

/** One row a tenant: a statement cannot change a row twice. */
function countersOf(
  merge: Merge,
  made: ReadonlyMap<string, number>,
  dead: Work['dead'],
): CounterRow[] {
  const deadPoints = new Map<string, number>()
  for (const { entry } of dead.keys()) {
    const { batch } = entry
    deadPoints.set(batch.tenant, (deadPoints.get(batch.tenant) ?? 0) + pointCount(batch))
  }
  return [...new Set([...merge.tenants.keys(), ...deadPoints.keys()])].map(tenant => {
    const { points, fresh } = merge.tenants.get(tenant) ?? { points: 0, fresh: 0 }
    const stored = fresh + (made.get(tenant) ?? 0)
    return { tenant, stored, duplicate: points - stored, dead: deadPoints.get(tenant) ?? 0 }
  })
}
