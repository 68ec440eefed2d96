import type { Anomaly } from '../../model/anomaly.ts'
import type { Anomalies, AnomalyQuery, AnomalyRetention } from '../../ports/anomalies.ts'
import { anomalyOf, anomalyParameters } from '../rows.ts'
import { Connection } from './connection.ts'

const ROWS_A_TRIM = 500

/**
 * @param path The catalog's file; anomalies have tables of their own in it.
 * @throws WeirError as `openSqliteCatalog`.
 */
export async function openSqliteAnomalies({ path }: { readonly path: string }): Promise<Anomalies> {
  return new SqliteAnomalies(await Connection.open(path, 'anomalies'))
}

class SqliteAnomalies implements Anomalies {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  save(anomalies: readonly Anomaly[]): Promise<void> {
    return this.#connection.save(SAVE, anomalies.map(anomalyParameters))
  }

  /** A checkpoint writes the log of transactions to the disk first, whoever reads meanwhile. */
  async sync(): Promise<void> {
    this.#connection.exec('PRAGMA wal_checkpoint(PASSIVE)')
  }

  async find(query: AnomalyQuery): Promise<Anomaly[]> {
    const { tenant, range, limit, after } = query
    const parameters: (string | number)[] = [tenant, range.start, range.end]
    let where = 'tenant = ? AND time_us >= ? AND time_us < ?'
    const lists = { device: query.devices, metric: query.metrics, severity: query.severities }
    for (const [column, names] of Object.entries(lists)) {
      if (names === undefined) continue
      where += ` AND ${column} IN (SELECT value FROM json_each(?))`
      parameters.push(JSON.stringify(names))
    }
    if (after !== undefined) {
      where += ' AND (time_us, device, metric, detector) < (?, ?, ?, ?)'
      parameters.push(after.timeUs, after.device, after.metric, after.detector)
    }
    const order = 'time_us DESC, device DESC, metric DESC, detector DESC'
    const sql = `SELECT * FROM anomaly WHERE ${where} ORDER BY ${order} LIMIT ?`
    return this.#connection.all(sql, ...parameters, limit).map(anomalyOf)
  }

  async countByDevice(
    tenant: string,
    devices?: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    const rows =
      devices === undefined
        ? this.#connection.all(COUNT, tenant)
        : this.#connection.all(COUNT_SOME, tenant, JSON.stringify(devices))
    return new Map(rows.map(row => [row.device as string, row.count as number]))
  }

  async trim({ beforeUs, maxPerTenant }: AnomalyRetention): Promise<number> {
    let removed = 0
    for (const { tenant, count } of this.#connection.all(TENANTS)) {
      const name = tenant as string
      const old = this.#connection.run(TRIM_OLD, name, beforeUs, name, beforeUs, ROWS_A_TRIM)
      const excess = Math.min(ROWS_A_TRIM, Number(count) - old - maxPerTenant)
      removed += old
      if (excess > 0) removed += this.#connection.run(TRIM_EXCESS, name, name, excess)
    }
    return removed
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

const SAVE = `INSERT OR REPLACE INTO anomaly (tenant, device, metric, time_us, detector, severity,
  value, average, deviation_pct, score) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const COUNT = `SELECT device, count(*) AS count FROM anomaly WHERE tenant = ? GROUP BY device`
const COUNT_SOME = `SELECT device, count(*) AS count FROM anomaly
  WHERE tenant = ? AND device IN (SELECT value FROM json_each(?)) GROUP BY device`
const TENANTS = `SELECT tenant, count(*) AS count FROM anomaly GROUP BY tenant`
const OLDEST = `SELECT device, metric, time_us, detector FROM anomaly`
const TRIM_OLD = `DELETE FROM anomaly WHERE tenant = ? AND time_us < ?
  AND (device, metric, time_us, detector) IN
    (${OLDEST} WHERE tenant = ? AND time_us < ? ORDER BY time_us LIMIT ?)`
const TRIM_EXCESS = `DELETE FROM anomaly WHERE tenant = ?
  AND (device, metric, time_us, detector) IN
    (${OLDEST} WHERE tenant = ? ORDER BY time_us LIMIT ?)`
