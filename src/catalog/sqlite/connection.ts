import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { WeirError } from '../../ports/errors.ts'
import { openDatabase, transaction } from './database.ts'
import { isSqliteError, sqliteError } from './sqlite-error.ts'

/** node:sqlite works on the doors' thread: about 2 ms a transaction, with a turn between. */
const ROWS_A_TRANSACTION = 250

export type Row = Record<string, SQLOutputValue>

/** A use of the catalog's file of its own: prepared statements, and errors that are the ports'. */
export class Connection {
  readonly #db: DatabaseSync
  readonly #what: string
  readonly #statements = new Map<string, StatementSync>()
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

  /** How many rows it changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return this.#attempt('write', () => Number(this.#statement(sql).run(...parameters).changes))
  }

  exec(sql: string): void {
    this.#attempt('write', () => this.#db.exec(sql))
  }

  /** In one transaction, which waits for no disk. */
  atomically<T>(work: () => T): T {
    return this.#attempt('write', () => {
      let result: T | undefined
      transaction(this.#db, false, () => (result = work()))
      return result as T
    })
  }

  /** In transactions that wait for no disk, with turns of the event loop between. */
  save(sql: string, rows: readonly (readonly SQLInputValue[])[]): Promise<void> {
    const call = this.#save(sql, rows)
    this.#running.add(call)
    const forget = (): void => void this.#running.delete(call)
    call.then(forget, forget)
    return call
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running)
    this.#closed ??= new WeirError('closed', `the ${this.#what} are closed`)
    if (this.#db.isOpen) this.#db.close()
  }

  async #save(sql: string, rows: readonly (readonly SQLInputValue[])[]): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_A_TRANSACTION) {
      if (at > 0) await turn()
      this.#attempt('save', () =>
        transaction(this.#db, false, () => {
          const statement = this.#statement(sql)
          for (const row of rows.slice(at, at + ROWS_A_TRANSACTION)) statement.run(...row)
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
