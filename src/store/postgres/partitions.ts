import { sqlState } from '../../postgres/postgres-error.ts'
import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, PostgresPool } from '../../postgres/postgres-pool.ts'
import { microseconds } from './statements.ts'
import { dropChunksBefore } from './timescale.ts'
import { timeLiteral } from './time-literal.ts'

export interface Span {
  /** Microseconds; `end` is exclusive. */
  readonly start: number
  readonly end: number
}

export interface Partition extends Span {
  readonly name: string
  /** Whether its hours are in the rollups, as far as this process knows. */
  readonly isRolledUp: boolean
}

const CHECK_VIOLATION = '23514'

/**
 * The partitions of `points` by time, made when a point needs one that is missing. They are listed in a table, so that a
 * span that was configured differently once stays as it is: a new partition fits between its neighbours.
 */
export class Partitions {
  readonly #pool: PostgresPool
  /** TimescaleDB makes and drops them. */
  readonly isHypertable: boolean
  readonly #spanUs: number
  /** Rising; what this process knows of. Others may have made more. */
  #known: readonly Partition[] = []

  constructor(
    pool: PostgresPool,
    { partitionMs, isHypertable = false }: { partitionMs: number; isHypertable?: boolean },
  ) {
    this.#pool = pool
    this.isHypertable = isHypertable
    this.#spanUs = partitionMs * 1000
  }

  get spanUs(): number {
    return this.#spanUs
  }

  get known(): readonly Partition[] {
    return this.#known
  }

  async load(): Promise<void> {
    this.#known = await this.#pool.with(listed)
  }

  /** Makes sure that there is a partition for each of these times. */
  async ensure(times: Iterable<number>): Promise<void> {
    if (this.isHypertable) return
    const missing: number[] = []
    for (const time of times) if (!covers(this.#known, time)) missing.push(time)
    if (missing.length === 0) return
    this.#known = await this.#pool.unhurried(async client => {
      await this.lock(client)
      let known = await listed(client)
      for (const time of missing.toSorted((a, b) => a - b)) {
        if (!covers(known, time)) known = await this.#make(client, known, time)
      }
      return known
    })
  }

  /** Finds out which are no partitions any more, because somebody has dropped or detached them. */
  async relearn(): Promise<void> {
    this.#known = await this.#pool.unhurried(async client => {
      await this.lock(client)
      return this.#attached(client)
    })
  }

  /**
   * Drops partitions whose points are all older, the oldest first, each in a transaction of its own.
   * @throws WeirError `retryable` when one is in use; those before it are dropped
   */
  async dropBefore(time: number): Promise<void> {
    if (this.isHypertable) {
      await this.#pool.briefly(client => dropChunksBefore(client, time))
      return
    }
    for (;;) {
      const dropped = await this.#pool.briefly(client => this.#dropOldest(client, time))
      if (dropped === undefined) return
      this.#known = this.#known.filter(({ start }) => start !== dropped.start)
    }
  }

  /** One process at a time changes the partitions. */
  async lock(client: PostgresClient): Promise<void> {
    await run(client, {
      text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))',
      values: [`weir.partitions.${this.#pool.schema}`],
    })
  }

  async #dropOldest(client: PostgresClient, time: number): Promise<Partition | undefined> {
    await this.lock(client)
    const [oldest] = await this.#attached(client)
    if (oldest === undefined || oldest.end > time) return undefined
    // First the row, which whoever rolls it up holds.
    await client.query(`DELETE FROM partitions WHERE start_time = ${timeLiteral(oldest.start)}`)
    await client.query(`DROP TABLE ${oldest.name}`)
    return oldest
  }

  /** What is listed, after what is none has been struck off. */
  async #attached(client: PostgresClient): Promise<Partition[]> {
    const { schema } = this.#pool
    await client.query(
      `DELETE FROM partitions l WHERE NOT EXISTS (SELECT FROM pg_inherits i
        WHERE i.inhparent = '${schema}.points'::regclass
        AND i.inhrelid = to_regclass('${schema}.' || l.name))`,
    )
    return listed(client)
  }

  async #make(
    client: PostgresClient,
    known: readonly Partition[],
    time: number,
  ): Promise<Partition[]> {
    const aligned = Math.floor(time / this.#spanUs) * this.#spanUs
    const at = known.findLastIndex(({ start }) => start <= time) + 1
    const start = Math.max(aligned, known[at - 1]?.end ?? 0)
    const end = Math.min(aligned + this.#spanUs, known[at]?.start ?? Infinity)
    const name = await this.#freeName(client, nameOf(start))
    // Attaching locks out nobody who reads or writes, other than CREATE TABLE … PARTITION OF.
    await client.query(`CREATE TABLE ${name} (LIKE points INCLUDING ALL)`)
    const bounds = `FROM (${timeLiteral(start)}) TO (${timeLiteral(end)})`
    await client.query(`ALTER TABLE points ATTACH PARTITION ${name} FOR VALUES ${bounds}`)
    await run(client, {
      text: `INSERT INTO partitions VALUES (${timeLiteral(start)}, ${timeLiteral(end)}, $1)`,
      values: [name],
    })
    return known.toSpliced(at, 0, { start, end, name, isRolledUp: false })
  }

  /** The table of a partition that was detached keeps its name, and its points. */
  async #freeName(client: PostgresClient, name: string): Promise<string> {
    for (let n = 1; ; n++) {
      const free = n === 1 ? name : `${name}_${n}`
      const { rows } = await run<{ isFree: boolean }>(client, {
        text: 'SELECT to_regclass($1) IS NULL AS "isFree"',
        values: [`${this.#pool.schema}.${free}`],
      })
      if (rows[0].isFree) return free
    }
  }
}

/** No partition for a point. PostgreSQL says it as a check that failed, which has no name. */
export function lacksPartition(error: unknown): boolean {
  if (sqlState(error) !== CHECK_VIOLATION) return false
  const { constraint } = error as { readonly constraint?: string }
  return constraint === undefined
}

/** `points_20260115`, with the time of day where it begins at another. */
function nameOf(start: number): string {
  const digits = new Date(start / 1000).toISOString().replaceAll(/\D/g, '')
  const microseconds = String(start % 1000).padStart(3, '0')
  return `points_${`${digits}${microseconds}`.replace(/(?<=^\d{8})0+$/, '')}`
}

function covers(partitions: readonly Span[], time: number): boolean {
  // Most points are new, and so is their partition.
  const newest = partitions.at(-1)
  if (newest !== undefined && newest.start <= time && time < newest.end) return true
  return partitions.some(({ start, end }) => start <= time && time < end)
}

async function listed(client: PostgresClient): Promise<Partition[]> {
  const { rows } = await run<Partition>(client, {
    text: `SELECT ${microseconds('start_time')} AS start, ${microseconds('end_time')} AS end, name,
        rollup IS NOT DISTINCT FROM 'kept' AS "isRolledUp"
      FROM partitions ORDER BY start_time`,
  })
  return rows
}
