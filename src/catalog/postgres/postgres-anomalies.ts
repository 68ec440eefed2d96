import type { Anomaly } from '../../model/anomaly.ts'
import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import type { Anomalies, AnomalyQuery, AnomalyRetention } from '../../ports/anomalies.ts'
import { anomalyOf, anomalyParameters } from '../rows.ts'
import { CatalogDatabase, columnsOf, type Transaction } from './catalog-database.ts'

const CONNECTIONS = 3
const ROWS_A_TRIM = 500

/** @throws WeirError as `openPostgresCatalog`. */
export async function openPostgresAnomalies(options: PostgresOptions): Promise<Anomalies> {
  return new PostgresAnomalies(await CatalogDatabase.open(options, CONNECTIONS))
}

class PostgresAnomalies implements Anomalies {
  readonly #database: CatalogDatabase

  constructor(database: CatalogDatabase) {
    this.#database = database
  }

  save(anomalies: readonly Anomaly[]): Promise<void> {
    return this.#database.writeAll(lastOfEach(anomalies), some => {
      const columns = columnsOf(some, anomalyParameters)
      // Several processes may save the same ones, found twice: a deadlock is tried again.
      return this.#database.transact(transaction => transaction.run(SAVE, ...columns))
    })
  }

  /** What is committed is on the disk. */
  sync(): Promise<void> {
    return this.#database.writeAll([], () => Promise.resolve())
  }

  async find(query: AnomalyQuery): Promise<Anomaly[]> {
    const { tenant, range, limit, after } = query
    const values: unknown[] = [tenant, range.start, range.end, limit]
    const place = (value: unknown): string => `$${values.push(value)}`
    let where = 'tenant = $1 AND time_us >= $2 AND time_us < $3'
    const lists = { device: query.devices, metric: query.metrics, severity: query.severities }
    for (const [column, names] of Object.entries(lists)) {
      if (names !== undefined) where += ` AND ${column} = ANY(${place(names)}::text[])`
    }
    if (after !== undefined) {
      const { timeUs, device, metric, detector } = after
      const places = [timeUs, device, metric, detector].map(place).join(', ')
      where += ` AND (time_us, device, metric, detector) < (${places})`
    }
    const order = 'time_us DESC, device DESC, metric DESC, detector DESC'
    const sql = `SELECT * FROM anomaly WHERE ${where} ORDER BY ${order} LIMIT $4`
    return (await this.#database.rows(sql, ...values)).map(anomalyOf)
  }

  async countByDevice(
    tenant: string,
    devices?: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    const rows =
      devices === undefined
        ? await this.#database.rows(COUNT, tenant)
        : await this.#database.rows(COUNT_SOME, tenant, devices)
    return new Map(rows.map(row => [row.device as string, row.count as number]))
  }

  /** Of several processes one does it at a time, because two would count the same excess twice. */
  trim(retention: AnomalyRetention): Promise<number> {
    return this.#database.transact(async transaction => {
      const [{ taken }] = await transaction.rows(TAKE_TURN, `weir.trim.${this.#database.schema}`)
      return taken === true ? trimSome(transaction, retention) : 0
    })
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}

async function trimSome(
  transaction: Transaction,
  { beforeUs, maxPerTenant }: AnomalyRetention,
): Promise<number> {
  let removed = 0
  for (const { tenant, count } of await transaction.rows(TENANTS)) {
    const old = await transaction.run(TRIM_OLD, tenant, beforeUs, ROWS_A_TRIM)
    const excess = Math.min(ROWS_A_TRIM, Number(count) - old - maxPerTenant)
    removed += old
    if (excess > 0) removed += await transaction.run(TRIM_EXCESS, tenant, excess)
  }
  return removed
}

/** One statement cannot write a row twice. */
function lastOfEach(anomalies: readonly Anomaly[]): Anomaly[] {
  const last = new Map<string, Anomaly>()
  for (const anomaly of anomalies) {
    const { tenant, device, metric, timeUs, detector } = anomaly
    last.set([tenant, device, metric, timeUs, detector].join('\0'), anomaly)
  }
  return [...last.values()]
}

const SAVE = `INSERT INTO anomaly (tenant, device, metric, time_us, detector, severity, value,
    average, deviation_pct, score)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
    $7::float8[], $8::float8[], $9::float8[], $10::float8[])
  ON CONFLICT (tenant, device, metric, time_us, detector) DO UPDATE SET severity = excluded.severity,
    value = excluded.value, average = excluded.average, deviation_pct = excluded.deviation_pct,
    score = excluded.score`
const COUNT = `SELECT device, count(*) AS count FROM anomaly WHERE tenant = $1 GROUP BY device`
const COUNT_SOME = `SELECT device, count(*) AS count FROM anomaly
  WHERE tenant = $1 AND device = ANY($2::text[]) GROUP BY device`
const TAKE_TURN = `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS taken`
const TENANTS = `SELECT tenant, count(*) AS count FROM anomaly GROUP BY tenant`
const TRIM_OLD = `DELETE FROM anomaly WHERE ctid = ANY(ARRAY(SELECT ctid FROM anomaly
  WHERE tenant = $1 AND time_us < $2 ORDER BY time_us LIMIT $3))`
const TRIM_EXCESS = `DELETE FROM anomaly WHERE ctid = ANY(ARRAY(SELECT ctid FROM anomaly
  WHERE tenant = $1 ORDER BY time_us LIMIT $2))`
