import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import type { Anomaly, Severity } from '../../model/anomaly.ts'
import type { Anomalies, AnomalyQuery, AnomalyRetention } from '../../ports/anomalies.ts'
import { WeirError } from '../../ports/errors.ts'
import { openDatabase, transaction } from './database.ts'
import { isSqliteError, sqliteError } from './sqlite-error.ts'

/** node:sqlite works on the doors' thread: about 2 ms a transaction, with a turn between. */
const ROWS_A_TRANSACTION = 250
const ROWS_A_TRIM = 500

/**
 * @param path The catalog's file; anomalies have tables of their own in it.
 * @throws WeirError as `openSqliteCatalog`.
 */
export async function openSqliteAnomalies({ path }: { readonly path: string }): Promise<Anomalies> {
  return new SqliteAnomalies(await openDatabase(path))
}

/** Over a connection of its own, so that nothing it does waits within another's transaction. */
class SqliteAnomalies implements Anomalies {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #running = new Set<Promise<unknown>>()
  #closed: WeirError | undefined

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  save(anomalies: readonly Anomaly[]): Promise<void> {
    const call = this.#save(anomalies)
    this.#running.add(call)
    const forget = (): void => void this.#running.delete(call)
    call.then(forget, forget)
    return call
  }

  /** A checkpoint writes the log of transactions to the disk first, whoever reads meanwhile. */
  async sync(): Promise<void> {
    this.#attempt('sync anomalies', () => this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)'))
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
    return this.#attempt('read anomalies', () =>
      this.#statement(sql).all(...parameters, limit),
    ).map(anomalyOf)
  }

  async countByDevice(
    tenant: string,
    devices?: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    const rows = this.#attempt('count anomalies', () =>
      devices === undefined
        ? this.#statement(COUNT).all(tenant)
        : this.#statement(COUNT_SOME).all(tenant, JSON.stringify(devices)),
    )
    return new Map(rows.map(row => [row.device as string, row.count as number]))
  }

  async trim({ beforeUs, maxPerTenant }: AnomalyRetention): Promise<number> {
    return this.#attempt('trim anomalies', () => {
      let removed = 0
      for (const { tenant, count } of this.#statement(TENANTS).all()) {
        const old = this.#statement(TRIM_OLD).run(tenant, beforeUs, tenant, beforeUs, ROWS_A_TRIM)
        const excess = Math.min(ROWS_A_TRIM, Number(count) - Number(old.changes) - maxPerTenant)
        removed += Number(old.changes)
        if (excess <= 0) continue
        removed += Number(this.#statement(TRIM_EXCESS).run(tenant, tenant, excess).changes)
      }
      return removed
    })
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running)
    this.#closed ??= new WeirError('closed', 'the anomalies are closed')
    if (this.#db.isOpen) this.#db.close()
  }

  async #save(anomalies: readonly Anomaly[]): Promise<void> {
    for (let at = 0; at < anomalies.length; at += ROWS_A_TRANSACTION) {
      if (at > 0) await turn()
      this.#attempt('save anomalies', () =>
        transaction(this.#db, false, () => {
          const save = this.#statement(SAVE)
          for (const anomaly of anomalies.slice(at, at + ROWS_A_TRANSACTION)) {
            save.run(...parametersOf(anomaly))
          }
        }),
      )
    }
    // For the caller the connection's state counts, also when there was nothing to save.
    if (this.#closed !== undefined) throw this.#closed
  }

  #attempt<T>(doing: string, work: () => T): T {
    if (this.#closed !== undefined) throw this.#closed
    try {
      return work()
    } catch (cause) {
      if (!isSqliteError(cause)) throw cause
      const error = sqliteError(cause, doing)
      // A failed fsync may have dropped what it did not write: nothing here can be trusted again.
      if (error.kind === 'closed') this.#closed = error
      throw error
    }
  }

  #statement(sql: string): StatementSync {
    let prepared = this.#statements.get(sql)
    if (prepared === undefined) {
      prepared = this.#db.prepare(sql)
      this.#statements.set(sql, prepared)
    }
    return prepared
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

function parametersOf(anomaly: Anomaly): (string | number | null)[] {
  const { tenant, device, metric, timeUs, detector } = anomaly
  return [
    ...[tenant, device, metric, timeUs, detector, anomaly.severity, anomaly.value],
    ...[anomaly.average, anomaly.deviationPct ?? null, anomaly.score],
  ]
}

function anomalyOf(row: Record<string, SQLOutputValue>): Anomaly {
  return {
    tenant: row.tenant as string,
    device: row.device as string,
    metric: row.metric as string,
    timeUs: row.time_us as number,
    detector: row.detector as string,
    severity: row.severity as Severity,
    value: row.value as number,
    average: row.average as number,
    deviationPct: (row.deviation_pct as number | null) ?? undefined,
    score: row.score as number,
  }
}
