import { migrate } from '../../postgres/migrate.ts'
import {
  PostgresPool,
  run,
  type PostgresClient,
  type PostgresOptions,
} from '../../postgres/postgres-pool.ts'
import { poolSizeOf } from '../../postgres/pool-size.ts'
import { WeirError } from '../../ports/errors.ts'
import { MIGRATIONS } from './migrations.ts'

export type Row = Readonly<Record<string, unknown>>
export type Values = readonly unknown[]

/** Each numbers its changes on its own. */
export type Stream = 'registry' | 'units' | 'keys' | 'contacts'

/** Its statements take milliseconds; people wait for them, and changes for each other. */
const ANSWER_TIMEOUT_MS = 10_000
/** Rows a transaction: what others who write may have to wait for, 10 to 20 ms. */
const ROWS_A_TRANSACTION = 500

/**
 * The tables of the catalog, and how its changes are numbered.
 *
 * Who changes something first takes the next version from the row of its stream, and holds that row
 * until the commit. So the changes of a stream happen one after the other, in the order of their
 * versions: who reads version n sees every change up to n, and none can come up behind. (A sequence
 * gives numbers in another order than they commit in, and readers miss what comes late.) It also
 * means that no two changes can block each other.
 */
export class CatalogDatabase {
  readonly #pool: PostgresPool
  /** Calls of several transactions, which `close` waits for. */
  readonly #running = new Set<Promise<unknown>>()
  #isClosed = false

  /** Creates and migrates what is missing. @throws WeirError `config`, `retryable` */
  static async open(options: PostgresOptions, connections: number): Promise<CatalogDatabase> {
    const poolSize = Math.min(connections, poolSizeOf(options.poolSize))
    const pool = await PostgresPool.open({
      ...{ applicationName: 'weir catalog', ...options },
      ...{ poolSize, statementTimeoutMs: shorter(options.statementTimeoutMs, ANSWER_TIMEOUT_MS) },
    })
    try {
      await migrate(pool, { part: 'catalog', migrations: MIGRATIONS })
      return new CatalogDatabase(pool)
    } catch (error) {
      await pool.close()
      throw error
    }
  }

  private constructor(pool: PostgresPool) {
    this.#pool = pool
  }

  /** A name that no other Weir in the same server has. */
  get schema(): string {
    return this.#pool.schema
  }

  async rows(text: string, ...values: Values): Promise<Row[]> {
    this.#mustBeOpen()
    return (await this.#pool.query<Row>({ text, values: [...values] })).rows
  }

  /** How many rows it changed. */
  async run(text: string, ...values: Values): Promise<number> {
    this.#mustBeOpen()
    return (await this.#pool.query({ text, values: [...values] })).rowCount
  }

  /** The version of the newest change. */
  async version(stream: Stream): Promise<number> {
    const [{ version }] = await this.rows('SELECT version FROM feed WHERE stream = $1', stream)
    return version as number
  }

  /**
   * `work` runs again after a deadlock with somebody else. When the connection is lost at the end, nobody knows whether
   * it was committed, and whoever calls may do it again.
   */
  async transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    this.#mustBeOpen()
    return this.#pool.transaction(client => work(new Transaction(client)))
  }

  /**
   * A transaction of the stream, one at a time of all processes. `first` is the first of `count`
   * versions that are its own.
   */
  change<T>(
    { stream, count }: { stream: Stream; count: number },
    work: (transaction: Transaction, first: number) => Promise<T>,
  ): Promise<T> {
    return this.transact(async transaction => {
      const [{ version }] = await transaction.rows(ADVANCE, stream, count)
      // Only now, so that what `work` reads is what was committed before it got its turn.
      return work(transaction, (version as number) - count + 1)
    })
  }

  /** One `write` after the other, of a bounded number of rows; on failure some may be written. */
  writeAll<T>(rows: readonly T[], write: (some: readonly T[]) => Promise<unknown>): Promise<void> {
    const call = this.#writeAll(rows, write)
    this.#running.add(call)
    const forget = (): void => void this.#running.delete(call)
    call.then(forget, forget)
    return call
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running)
    this.#isClosed = true
    await this.#pool.close()
  }

  async #writeAll<T>(
    rows: readonly T[],
    write: (some: readonly T[]) => Promise<unknown>,
  ): Promise<void> {
    this.#mustBeOpen()
    for (let at = 0; at < rows.length; at += ROWS_A_TRANSACTION) {
      await write(rows.slice(at, at + ROWS_A_TRANSACTION))
    }
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new WeirError('closed', 'the catalog is closed')
  }
}

/** 0 is no limit. */
const shorter = (oneMs: number, otherMs: number): number =>
  oneMs === 0 ? otherMs : Math.min(oneMs, otherMs)

const ADVANCE = 'UPDATE feed SET version = version + $2 WHERE stream = $1 RETURNING version'

/** A connection between BEGIN and COMMIT. */
export class Transaction {
  readonly #client: PostgresClient

  constructor(client: PostgresClient) {
    this.#client = client
  }

  async rows(text: string, ...values: Values): Promise<Row[]> {
    return (await run<Row>(this.#client, { text, values: [...values] })).rows
  }

  async run(text: string, ...values: Values): Promise<number> {
    return (await run(this.#client, { text, values: [...values] })).rowCount
  }
}

/** Rows as the columns that `unnest` takes. */
export function columnsOf<T>(
  rows: readonly T[],
  parametersOf: (row: T) => readonly unknown[],
): unknown[][] {
  const all = rows.map(parametersOf)
  return all[0].map((_, column) => all.map(row => row[column]))
}
