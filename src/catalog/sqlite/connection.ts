import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { WeirError } from '../../ports/errors.ts'
import { openDatabase, transaction } from './database.ts'
import { isSqliteError, sqliteError } from './sqlite-error.ts'

/**
 * Rows a transaction. node:sqlite works on the calling thread, the doors', and a transaction
 * cannot stay open across turns of the event loop (whatever else runs meanwhile would be in it).
 * So many rows are written in transactions of this many, 1 to 3 ms each, with a turn between.
 */
const ROWS_A_TRANSACTION = 250

export type Row = Record<string, SQLOutputValue>

/** Whether a commit waits for the disk; see `transaction`. */
export interface Durability {
  readonly isDurable: boolean
}

/** A use of the catalog's file of its own: prepared statements, and errors that are the ports'. */
export class Connection {
  readonly #db: DatabaseSync
  readonly #what: string
  readonly #statements = new Map<string, StatementSync>()
  /** Calls that take several turns of the event loop, which `close` waits for. */
  readonly #running = new Set<Promise<unknown>>()
  #closed: WeirError | undefined

  /** @throws WeirError as `openDatabase`. */
  static async open(path: string, what: string): Promise<Connection> {
    return new Connection(await openDatabase(path), what)
  }

  private constructor(db: DatabaseSync, what: string) {
    this.#db = db
    this.#what = what
  }

  all(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.#attempt('read', () => this.#statement(sql).all(...parameters))
  }

  /** The first row. */
  get(sql: string, ...parameters: SQLInputValue[]): Row | undefined {
    return this.#attempt('read', () => this.#statement(sql).get(...parameters))
  }

  /** How many rows it changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return this.#attempt('write', () => Number(this.#statement(sql).run(...parameters).changes))
  }

  exec(sql: string): void {
    this.#attempt('write', () => this.#db.exec(sql))
  }

  /** In one transaction, which `work` may not leave open across turns of the event loop. */
  transact<T>(durability: Durability, work: () => T): T {
    return this.#attempt('write', () => transaction(this.#db, durability.isDurable, work))
  }

  /**
   * In transactions of a bounded number of rows, with turns of the event loop between: on failure
   * some may be written.
   */
  transactAll<T>(
    rows: readonly T[],
    durability: Durability,
    write: (some: readonly T[]) => void,
  ): Promise<void> {
    const call = this.#transactAll(rows, durability, write)
    this.#running.add(call)
    const forget = (): void => void this.#running.delete(call)
    call.then(forget, forget)
    return call
  }

  /** One statement a row, in transactions that wait for no disk. */
  save(sql: string, rows: readonly (readonly SQLInputValue[])[]): Promise<void> {
    return this.transactAll(rows, { isDurable: false }, some => {
      for (const row of some) this.run(sql, ...row)
    })
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running)
    this.#closed ??= new WeirError('closed', 'the catalog is closed')
    if (this.#db.isOpen) this.#db.close()
  }

  async #transactAll<T>(
    rows: readonly T[],
    durability: Durability,
    write: (some: readonly T[]) => void,
  ): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_A_TRANSACTION) {
      if (at > 0) await turn()
      this.transact(durability, () => write(rows.slice(at, at + ROWS_A_TRANSACTION)))
    }
    // For the caller the connection's state counts, also when there was nothing to save.
    if (this.#closed !== undefined) throw this.#closed
  }

  /** Every use of the database goes through here: its errors become the port's. */
  #attempt<T>(doing: string, work: () => T): T {
    if (this.#closed !== undefined) throw this.#closed
    try {
      return work()
    } catch (cause) {
      if (!isSqliteError(cause)) throw cause
      const error = sqliteError(cause, `${doing} ${this.#what}`)
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
