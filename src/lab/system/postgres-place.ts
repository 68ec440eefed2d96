import { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { Place } from './place.ts'
import type { LabServer } from './servers.ts'

const DURABLE = { fsync: 'on', full_page_writes: 'on' } as const

/** A PostgreSQL on which each step has a database of its own. */
export class PostgresPlaces {
  readonly #pool: PostgresPool
  readonly #address: string
  readonly version: string

  /** @throws Error where it cannot be reached, may not be used so, or would forget what it has committed. */
  static async open({ address, isOwn }: LabServer): Promise<PostgresPlaces> {
    const pool = await openPool(address)
    try {
      const { rows } = await pool.query<Settings>({
        text: `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
          current_setting('synchronous_commit') AS synchronous_commit, current_setting('server_version') AS version,
          (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user) AS creates`,
      })
      const problem = problemOf(rows[0])
      if (problem !== undefined) throw new Error(problem)
      if (isOwn) await dropLeftovers(pool)
      return new PostgresPlaces(pool, address, rows[0].version)
    } catch (error) {
      await pool.close()
      throw error
    }
  }

  private constructor(pool: PostgresPool, address: string, version: string) {
    this.#pool = pool
    this.#address = address
    this.version = version
  }

  async make(name: string): Promise<DatabasePlace> {
    await this.#pool.query({ text: `CREATE DATABASE ${name}` })
    const url = new URL(this.#address)
    url.pathname = `/${name}`
    return {
      ...{ databaseName: name, databaseUrl: this.#address },
      env: { WEIR_POSTGRES_URL: url.href, WEIR_POSTGRES_SCHEMA: 'weir' },
      // What the step before and the history have left to write is written before it is measured.
      settle: async () => void (await this.#pool.query({ text: 'CHECKPOINT' })),
      remove: async () => {
        await this.#pool.query({ text: `DROP DATABASE IF EXISTS ${name} WITH (FORCE)` })
      },
      diskBytes: async () => {
        const text = 'SELECT pg_database_size($1)::bigint AS bytes'
        const { rows } = await this.#pool.query<{ bytes: number }>({ text, values: [name] })
        return rows[0].bytes
      },
    }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}

export interface DatabasePlace extends Place {
  readonly databaseName: string
  /** Of the server, at another database: who asks there is in nobody's way. */
  readonly databaseUrl: string
  diskBytes(): Promise<number>
}

interface Settings {
  readonly fsync: string
  readonly full_page_writes: string
  readonly synchronous_commit: string
  readonly version: string
  readonly creates: boolean
}

/** A database that forgets would win every comparison. */
function problemOf(settings: Settings): string | undefined {
  for (const [name, wanted] of Object.entries(DURABLE)) {
    const value = settings[name as keyof typeof DURABLE]
    if (value !== wanted)
      return `PostgreSQL has ${name} = ${value}: the lab compares only what is durable`
  }
  if (settings.synchronous_commit === 'off') {
    return 'PostgreSQL has synchronous_commit = off: the lab compares only what is durable'
  }
  return settings.creates ? undefined : 'the user of PostgreSQL may not create databases (CREATEDB)'
}

async function dropLeftovers(pool: PostgresPool): Promise<void> {
  const text = `SELECT datname AS name FROM pg_database WHERE datname LIKE 'weir\\_lab\\_%'`
  const { rows } = await pool.query<{ name: string }>({ text })
  for (const { name } of rows) await pool.query({ text: `DROP DATABASE ${name} WITH (FORCE)` })
}

function openPool(url: string): Promise<PostgresPool> {
  return PostgresPool.open({
    ...{ url, schema: 'weir', poolSize: 2, applicationName: 'weir lab' },
    ...{ connectTimeoutMs: 10_000, idleTimeoutMs: 600_000, statementTimeoutMs: 120_000 },
  })
}
