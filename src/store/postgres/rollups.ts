import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, PostgresPool } from '../../postgres/postgres-pool.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Partitions } from './partitions.ts'
import {
  dropRollups,
  fillGaps,
  HOUR_US,
  isWorthIt,
  makeRollups,
  noteGaps,
  OF_NO_PARTITION,
} from './rollup-table.ts'
import type { RolledPartition, SeriesHour } from './rollup-table.ts'
import { microseconds } from './statements.ts'

/** So long after its end a partition gets points of devices that were away. */
const LATENESS_US = HOUR_US
const GAPS_A_TRANSACTION = 200
const FIRST_GAP: SeriesHour = { series: -1, hour: 0 }
const CANCEL_AGAIN_MS = 100

interface OldPartition extends RolledPartition {
  /** Changes of rows that the server has counted; null where there is no such table. */
  readonly changes: number | null
}

/**
 * Keeps the hours of old partitions: count, sum, least, greatest, first and last of each series, so that a year by days
 * is not read from its points. A partition is rolled up once, when it has ended and nobody has written to it since the
 * last run; what comes late after that is noted by a trigger, read from the points, and worked in by a later run. So
 * answers are as exact as without, whoever writes, and whichever of several processes does the work.
 */
export class Rollups {
  readonly #pool: PostgresPool
  readonly #partitions: Pick<Partitions, 'load'>
  readonly #clock: Clock
  /** Of old partitions, their changes as they were at the last run. */
  #changes = new Map<string, number>()
  #isStopped = false
  /** The server's process that works at it. */
  #backend: number | undefined = undefined

  constructor(
    pool: PostgresPool,
    { partitions, clock }: { partitions: Pick<Partitions, 'load'>; clock: Clock },
  ) {
    this.#pool = pool
    this.#partitions = partitions
    this.#clock = clock
  }

  /** What there is to do now. @throws WeirError; the next run goes on */
  async run(): Promise<void> {
    try {
      await this.#forget()
      for (const partition of await this.#withGaps()) await this.#fill(partition)
      // What other processes have rolled up.
      await this.#partitions.load()
      for (const partition of await this.#settled()) {
        if (this.#isStopped) return
        await this.#rollUp(partition)
        // Reads use it while the next one is worked at, and though that may fail.
        await this.#partitions.load()
      }
    } catch (error) {
      if (!this.#isStopped) throw error
    }
  }

  /** Breaks off what runs; nothing of it stays. */
  async stop(): Promise<void> {
    this.#isStopped = true
    // A cancellation that comes between two statements is lost.
    while (this.#backend !== undefined) {
      const cancel = { text: 'SELECT pg_cancel_backend($1)', values: [this.#backend] }
      // Without a database there is nothing to break off: what runs fails by itself.
      await this.#pool.query(cancel).catch(() => undefined)
      await sleep(CANCEL_AGAIN_MS)
    }
  }

  async #forget(): Promise<void> {
    const { rows } = await this.#pool.query<{ name: string }>({ text: OF_NO_PARTITION })
    for (const { name } of rows) await this.#pool.briefly(client => dropRollups(client, name))
  }

  async #settled(): Promise<OldPartition[]> {
    const { rows } = await this.#pool.query<OldPartition>({
      text: `SELECT name, ${microseconds('start_time')} AS start, ${microseconds('end_time')} AS end,
          pg_stat_get_tuples_inserted(t.oid) + pg_stat_get_tuples_updated(t.oid)
            + pg_stat_get_tuples_deleted(t.oid) AS changes
        FROM partitions, LATERAL (SELECT to_regclass($1 || '.' || name)::oid AS oid) t
        WHERE rollup IS NULL ORDER BY start_time`,
      values: [this.#pool.schema],
    })
    const latestEnd = this.#clock.nowMs() * 1000 - LATENESS_US
    const old = rows.filter(
      ({ start, end }) => end <= latestEnd && start % HOUR_US === 0 && end % HOUR_US === 0,
    )
    const settled = old.filter(({ name, changes }) => this.#changes.get(name) === changes)
    this.#changes = new Map(old.map(({ name, changes }) => [name, changes ?? NaN]))
    return settled
  }

  async #rollUp(partition: RolledPartition): Promise<void> {
    if (!(await this.#pool.with(client => isWorthIt(client, partition)))) {
      await this.#pool.with(client => mark(client, partition, 'sparse'))
      return
    }
    await this.#pool.briefly(client => noteGaps(client, partition))
    await this.#pool.unhurried(async client => {
      if (this.#isStopped || !(await isLeft(client, partition))) return
      this.#backend = await backendOf(client)
      try {
        await makeRollups(client, partition)
        await mark(client, partition, 'kept')
      } finally {
        this.#backend = undefined
      }
    })
  }

  async #withGaps(): Promise<RolledPartition[]> {
    const { rows } = await this.#pool.query<RolledPartition>({
      text: `SELECT name, ${microseconds('start_time')} AS start, ${microseconds('end_time')} AS end
        FROM partitions WHERE rollup = 'kept'
          AND EXISTS (SELECT FROM rollup_gaps WHERE hour >= start_time AND hour < end_time)
        ORDER BY start_time`,
    })
    return rows
  }

  async #fill(partition: RolledPartition): Promise<void> {
    let last: SeriesHour | undefined = FIRST_GAP
    while (last !== undefined && !this.#isStopped) {
      const after: SeriesHour = last
      last = await this.#pool.transaction(client =>
        fillGaps(client, partition, { after, count: GAPS_A_TRANSACTION }),
      )
    }
  }
}

/** Whether nobody has rolled it up or does so now; until the transaction ends nobody else does. */
async function isLeft(client: PostgresClient, { name }: RolledPartition): Promise<boolean> {
  const { rowCount } = await run(client, {
    text: 'SELECT FROM partitions WHERE name = $1 AND rollup IS NULL FOR UPDATE SKIP LOCKED',
    values: [name],
  })
  return rowCount > 0
}

async function mark(
  client: PostgresClient,
  { name }: RolledPartition,
  rollup: 'kept' | 'sparse',
): Promise<void> {
  await run(client, {
    text: 'UPDATE partitions SET rollup = $2 WHERE name = $1',
    values: [name, rollup],
  })
}

async function backendOf(client: PostgresClient): Promise<number> {
  const { rows } = await run<{ pid: number }>(client, { text: 'SELECT pg_backend_pid() AS pid' })
  return rows[0].pid
}
