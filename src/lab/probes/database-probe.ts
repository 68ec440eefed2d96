import { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { DatabaseFigures } from './figures.ts'
import { mean, most } from './summary.ts'

interface Row {
  readonly transactions: number
  readonly written: number
  readonly read: number
  readonly blocks_read: number
  readonly blocks_hit: number
  readonly wal_bytes: string
  readonly connections: number
  readonly active: number
  /** By what they wait for, of those that run a statement. */
  readonly waits: Readonly<Record<string, number>> | null
}

export interface DatabaseSample extends Row {
  readonly atMs: number
}

/** One statement, on a connection of its own, to another database of the server. */
const STATEMENT = {
  name: 'weir_lab_sample',
  text: `SELECT d.xact_commit + d.xact_rollback AS transactions,
      d.tup_inserted + d.tup_updated + d.tup_deleted AS written, d.tup_returned AS read,
      d.blks_read AS blocks_read, d.blks_hit AS blocks_hit, w.wal_bytes::text AS wal_bytes,
      a.connections, a.active, a.waits
    FROM pg_stat_database d, pg_stat_wal w, (
      SELECT sum(n)::int8 AS connections,
        coalesce(sum(n) FILTER (WHERE state = 'active'), 0)::int8 AS active,
        jsonb_object_agg(wait, n) FILTER (WHERE state = 'active' AND wait IS NOT NULL) AS waits
      FROM (
        SELECT state, wait_event_type || ': ' || wait_event AS wait, count(*) AS n
        FROM pg_stat_activity
        WHERE datname = $1 AND backend_type IN ('client backend', 'parallel worker')
        GROUP BY 1, 2) s) a
    WHERE d.datname = $1`,
}

/** What a PostgreSQL server says of one of its databases. */
export class DatabaseProbe {
  readonly #pool: PostgresPool
  readonly #database: string

  static async open(url: string, database: string): Promise<DatabaseProbe> {
    const pool = await PostgresPool.open({
      ...{ url, schema: 'weir', poolSize: 1, applicationName: 'weir lab' },
      ...{ connectTimeoutMs: 10_000, idleTimeoutMs: 60_000, statementTimeoutMs: 5000 },
    })
    return new DatabaseProbe(pool, database)
  }

  private constructor(pool: PostgresPool, database: string) {
    this.#pool = pool
    this.#database = database
  }

  /** Undefined where it is too busy to tell. */
  async sample(): Promise<DatabaseSample | undefined> {
    const asked = this.#pool.query<Row>({ ...STATEMENT, values: [this.#database] })
    const row = (await asked.catch(() => undefined))?.rows[0]
    return row === undefined ? undefined : { atMs: performance.now(), ...row }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}

/** Rates are of the counters' whole way; what is of a moment is the mean of the samples. */
export function databaseFigures(samples: readonly DatabaseSample[]): DatabaseFigures | undefined {
  const [first] = samples
  const last = samples.at(-1)
  if (last === undefined || last === first) return undefined
  const overS = (last.atMs - first.atMs) / 1000
  const perSecond = (of: (sample: DatabaseSample) => number): number =>
    Math.max(0, of(last) - of(first)) / overS
  const read = perSecond(({ blocks_read }) => blocks_read)
  const hit = perSecond(({ blocks_hit }) => blocks_hit)
  const waits: Record<string, number> = {}
  for (const sample of samples) {
    for (const [name, count] of Object.entries(sample.waits ?? {})) {
      waits[name] = (waits[name] ?? 0) + count
    }
  }
  const waiting = samples.map(sample => sumOf(sample.waits))
  const activeAll = samples.reduce((sum, { active }) => sum + active, 0)
  return {
    connectionsMax: most(samples.map(({ connections }) => connections)),
    activeMean: mean(samples.map(({ active }, i) => active - waiting[i])),
    waitingMean: mean(waiting),
    waits: Object.fromEntries(
      Object.entries(waits)
        .sort(([, a], [, b]) => b - a)
        .map(([name, count]) => [name, count / activeAll]),
    ),
    transactionsPerSecond: perSecond(({ transactions }) => transactions),
    rowsWrittenPerSecond: perSecond(({ written }) => written),
    rowsReadPerSecond: perSecond(sample => sample.read),
    blocksReadPerSecond: read,
    blockHitShare: read + hit === 0 ? 1 : hit / (read + hit),
    walBytesPerSecond: perSecond(({ wal_bytes }) => Number(wal_bytes)),
  }
}

function sumOf(waits: Row['waits']): number {
  return Object.values(waits ?? {}).reduce((sum, count) => sum + count, 0)
}
