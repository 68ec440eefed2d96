import type { PostgresPool } from '../../postgres/postgres-pool.ts'
import { hypertableBytes } from './timescale.ts'
import type { StoreStats, TenantPoints } from '../../ports/store.ts'

/** The size on disk is asked of the file system, one file a partition and index. */
const SIZE_AGE_MS = 10_000

interface TenantRow {
  readonly tenant: string
  readonly stored: number
  readonly duplicate: number
  readonly dead: number
  readonly series: number
}

/** Counts as the transactions left them: no table is counted. */
export class StatsReader {
  readonly #pool: PostgresPool
  readonly #isHypertable: boolean
  #size: { readonly bytes: number; readonly atMs: number } | undefined = undefined

  constructor(pool: PostgresPool, { isHypertable }: { isHypertable: boolean }) {
    this.#pool = pool
    this.#isHypertable = isHypertable
  }

  async read(): Promise<Omit<StoreStats, 'memoryBytes'>> {
    const [{ rows }, diskBytes] = await Promise.all([
      this.#pool.query<TenantRow>({
        text: `SELECT tenant, sum(stored)::bigint AS stored, sum(duplicate)::bigint AS duplicate,
          sum(dead)::bigint AS dead, sum(series)::bigint AS series FROM counters GROUP BY tenant`,
      }),
      this.#diskBytes(),
    ])
    const sum = (name: Exclude<keyof TenantRow, 'tenant'>): number =>
      rows.reduce((total, row) => total + row[name], 0)
    const tenants = new Map<string, TenantPoints>()
    for (const { tenant, stored, duplicate } of rows) {
      tenants.set(tenant, { stored, duplicate, unsettled: 0 })
    }
    return {
      ...{ stored: sum('stored'), duplicate: sum('duplicate'), unsettled: 0, tenants },
      ...{ deadLettered: sum('dead'), series: sum('series'), diskBytes },
    }
  }

  async #diskBytes(): Promise<number> {
    const now = performance.now()
    if (this.#size !== undefined && now - this.#size.atMs < SIZE_AGE_MS) return this.#size.bytes
    const { rows } = await this.#pool.query<{ bytes: number }>({
      text: `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')`,
      values: [this.#pool.schema],
    })
    // Chunks are in another schema.
    const bytes = rows[0].bytes + (this.#isHypertable ? await hypertableBytes(this.#pool) : 0)
    this.#size = { bytes, atMs: now }
    return bytes
  }
}
