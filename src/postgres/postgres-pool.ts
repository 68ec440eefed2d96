import type { ClientBase, Pool, PoolClient, QueryArrayConfig, QueryConfig } from 'pg'
import { Backoff } from '../kit/backoff.ts'
import { WeirError } from '../ports/errors.ts'
import { poolSizeOf } from './pool-size.ts'
import { isRepeatable, postgresError, sqlState } from './postgres-error.ts'

export interface PostgresOptions {
  /** `postgres://USER:PASSWORD@HOST:PORT/DATABASE` */
  readonly url: string
  /** Where everything of Weir is kept in that database. */
  readonly schema: string
  /** Connections held open at most; 0: as the machine is (`pool-size.ts`). */
  readonly poolSize: number
  /** Until a connection is made, or one of the pool is free. */
  readonly connectTimeoutMs: number
  /** A connection that nobody used for so long is closed. */
  readonly idleTimeoutMs: number
  /** The server breaks off statements that take longer. */
  readonly statementTimeoutMs: number
  /** What the server shows of whose connection it is. */
  readonly applicationName?: string
  /** A statement that each connection begins with. */
  readonly greeting?: string
}

/** Connections now, and how many wait for one. */
export interface PoolFigures {
  readonly size: number
  readonly inUse: number
  readonly idle: number
  readonly waiting: number
}

export type PostgresClient = PoolClient
export type Statement = QueryConfig | QueryArrayConfig

const FIRST_WAIT_MS = 100
const LAST_WAIT_MS = 2000
/** A server that has not broken off a statement by then does not answer at all: its connection is given up. */
const GRACE_MS = 2000
const LOCK_TIMEOUT_MS = 2000
/** Tries of what met a deadlock. */
const TRIES = 5
const INT8 = 20
const PLAIN_NAME = /^[a-z_][a-z0-9_]{0,62}$/

/**
 * Connections to one PostgreSQL. While the server cannot be reached, calls fail at once (retryable, with the time
 * to come back) and only now and then one tries to connect, with growing waits.
 *
 * Every error is a `WeirError` (`postgres-error.ts`). `bigint` columns arrive as numbers.
 */
export class PostgresPool {
  readonly schema: string
  readonly #pool: Pool
  readonly #poolSize: number
  readonly #backoff = new Backoff({ firstMs: FIRST_WAIT_MS, lastMs: LAST_WAIT_MS })
  readonly #connecting = new Set<Promise<PostgresClient>>()
  #down: { readonly error: WeirError; readonly untilMs: number } | undefined = undefined
  #closing: Promise<void> | undefined = undefined

  /**
   * Connects once, so that a wrong address or password is told at start.
   * @throws WeirError `config` or `retryable`
   */
  static async open(options: PostgresOptions): Promise<PostgresPool> {
    if (!PLAIN_NAME.test(options.schema)) {
      throw new WeirError('config', `postgres.schema: ${options.schema} is no plain name`)
    }
    if (!options.url) throw new WeirError('config', 'postgres.url: there is no address')
    const pool = new PostgresPool(options, await library())
    try {
      const { rows } = await pool.query<{ encoding: string }>({
        text: `SELECT current_setting('server_encoding') AS encoding`,
      })
      if (rows[0].encoding !== 'UTF8') {
        const message = `the database must be in UTF8, it is in ${rows[0].encoding}`
        throw new WeirError('config', `PostgreSQL: ${message}`)
      }
    } catch (error) {
      await pool.close()
      throw error
    }
    return pool
  }

  constructor(options: PostgresOptions, pg: Library) {
    const { greeting } = options
    this.schema = options.schema
    this.#poolSize = poolSizeOf(options.poolSize)
    const { builtins: _, ...types } = pg.types
    const parserOf = types.getTypeParser as (oid: number, format?: string) => unknown
    const getTypeParser = (oid: number, format?: string): unknown =>
      oid === INT8 && format !== 'binary' ? Number : parserOf(oid, format)
    this.#pool = new pg.Pool({
      connectionString: options.url,
      max: this.#poolSize,
      connectionTimeoutMillis: options.connectTimeoutMs,
      idleTimeoutMillis: options.idleTimeoutMs,
      statement_timeout: options.statementTimeoutMs,
      query_timeout: options.statementTimeoutMs === 0 ? 0 : options.statementTimeoutMs + GRACE_MS,
      application_name: options.applicationName ?? 'weir',
      // Compiling a plan takes longer than most of these statements.
      options: `-c search_path=${options.schema},public -c jit=off`,
      keepAlive: true,
      ...(greeting !== undefined && {
        // oxlint-disable-next-line typescript/no-misused-promises -- awaited, though its type says void
        onConnect: async (client: ClientBase) => void (await client.query(greeting)),
      }),
      types: { getTypeParser: getTypeParser as typeof pg.types.getTypeParser },
    })
    // A connection that broke while nobody used it: the pool makes a new one.
    this.#pool.on('error', () => undefined)
  }

  /**
   * One statement, committed by itself; again where the server broke it off for a deadlock. Rows are objects, or arrays
   * with `rowMode: 'array'`.
   */
  query<Row>(statement: Statement): Promise<{ rows: Row[]; rowCount: number }> {
    return repeated(() => this.with(client => run<Row>(client, statement)))
  }

  /** Lends one connection for the time of `work`. */
  async with<T>(work: (client: PostgresClient) => Promise<T>): Promise<T> {
    const client = await this.#acquire()
    let broken: WeirError | undefined
    // Between two statements nobody else listens.
    const onError = (error: Error): void => void (broken = postgresError(error))
    client.on('error', onError)
    try {
      return await work(client)
    } catch (error) {
      const mapped = postgresError(error)
      // Without a SQLSTATE, who knows what state it is in.
      if (isConnectionLoss(mapped)) broken ??= mapped
      throw mapped
    } finally {
      client.removeListener('error', onError)
      client.release(broken !== undefined)
    }
  }

  /**
   * Runs `work` between BEGIN and COMMIT; all of it again where the server broke it off for a deadlock. When the
   * connection is lost during COMMIT, nobody knows whether it was committed: `work` must bear repeating.
   */
  transaction<T>(work: (client: PostgresClient) => Promise<T>): Promise<T> {
    return repeated(() => this.with(client => inTransaction(client, work)))
  }

  /** A transaction whose statements may take as long as they take: tables are made or filled. */
  unhurried<T>(work: (client: PostgresClient) => Promise<T>): Promise<T> {
    return this.transaction(async client => {
      const { connectionParameters } = client as unknown as Timed
      const { query_timeout } = connectionParameters
      connectionParameters.query_timeout = 0
      try {
        await client.query('SET LOCAL statement_timeout = 0')
        return await work(client)
      } finally {
        connectionParameters.query_timeout = query_timeout
      }
    })
  }

  /**
   * The same, but it waits for no lock for long. Whoever waits for a table, because somebody dumps it for hours, holds up
   * all who come to it after.
   */
  briefly<T>(work: (client: PostgresClient) => Promise<T>): Promise<T> {
    return this.unhurried(async client => {
      await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`)
      return work(client)
    })
  }

  figures(): PoolFigures {
    const { totalCount, idleCount, waitingCount } = this.#pool
    return {
      size: this.#poolSize,
      inUse: totalCount - idleCount,
      idle: idleCount,
      waiting: waitingCount,
    }
  }

  /** Waits for calls that were made before. Idempotent. */
  close(): Promise<void> {
    // The pool of `pg` serves nobody who waits for a connection once it ends.
    this.#closing ??= Promise.allSettled(this.#connecting).then(() => this.#pool.end())
    return this.#closing
  }

  async #acquire(): Promise<PostgresClient> {
    if (this.#closing !== undefined) throw new WeirError('closed', 'PostgreSQL: the pool is closed')
    const down = this.#down
    if (down !== undefined && this.#pool.idleCount === 0) {
      const retryAfterMs = down.untilMs - performance.now()
      if (retryAfterMs > 0) {
        const { kind, message, cause, code } = down.error
        const codes = code === undefined ? {} : { code }
        throw new WeirError(kind, message, { cause, retryAfterMs, ...codes })
      }
      // One tries; the others are told to come back.
      this.#down = { ...down, untilMs: performance.now() + this.#backoff.next() }
    }
    const connecting = this.#pool.connect()
    this.#connecting.add(connecting)
    try {
      const client = await connecting
      this.#backoff.reset()
      this.#down = undefined
      return client
    } catch (error) {
      const mapped = postgresError(error)
      if (mapped.limit !== 'postgres.poolSize') {
        this.#down = { error: mapped, untilMs: performance.now() + this.#backoff.next() }
      }
      throw mapped
    } finally {
      this.#connecting.delete(connecting)
    }
  }
}

/** One statement on a connection that is held. */
export async function run<Row>(
  client: PostgresClient,
  statement: Statement,
): Promise<{ rows: Row[]; rowCount: number }> {
  const { rows, rowCount } = await client.query(statement as QueryConfig)
  return { rows: rows as Row[], rowCount: rowCount ?? 0 }
}

/** Nothing of what met a deadlock stays, so the same may simply be done again. */
async function repeated<T>(work: () => Promise<T>): Promise<T> {
  for (let left = TRIES; ; left--) {
    try {
      return await work()
    } catch (error) {
      if (left <= 1 || !isRepeatable(error)) throw error
    }
  }
}

async function inTransaction<T>(
  client: PostgresClient,
  work: (client: PostgresClient) => Promise<T>,
): Promise<T> {
  await client.query('BEGIN')
  try {
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    // Over a connection that is lost nothing can be said, and the server does it by itself.
    if (!isConnectionLoss(postgresError(error))) await client.query('ROLLBACK')
    throw error
  }
}

/** Whether the connection is of no more use. */
function isConnectionLoss({ kind, cause }: WeirError): boolean {
  if (kind !== 'retryable' || cause === undefined) return false
  const state = sqlState(cause)
  return state === undefined || /^(08|57P)/.test(state)
}

/** What `pg` looks up for each query. */
interface Timed {
  readonly connectionParameters: { query_timeout: number }
}

type Library = Pick<typeof import('pg'), 'Pool' | 'types'>

/** Loaded when needed: who keeps nothing in PostgreSQL needs no client for it. */
async function library(): Promise<Library> {
  try {
    const pg = await import('pg')
    return pg.default as unknown as Library
  } catch (cause) {
    const message = 'PostgreSQL needs the npm package pg, an optional dependency: npm install pg'
    throw new WeirError('config', message, { cause })
  }
}
