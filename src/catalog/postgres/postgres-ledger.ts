import type { AgedPage, LedgerBook, LedgerCounts, LedgerPage } from '../../ports/ledger-book.ts'
import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import { CatalogDatabase } from './catalog-database.ts'

// Ages are of the server's clock: those of the processes may differ.
const ALL = `SELECT process, state, tenants,
    extract(epoch FROM clock_timestamp() - written_at)::float8 * 1000 AS age_ms
  FROM ledger_page`
// In one order, so that two that fold the same pages wait for each other.
const LOCK = `SELECT process FROM ledger_page WHERE process = ANY ($1) ORDER BY process FOR UPDATE`
const DELETE = `DELETE FROM ledger_page WHERE process = ANY ($1)`
// Also where it is there: whether a commit got through is not always known, and it comes again.
const SAVE = `INSERT INTO ledger_page (process, state, written_at, tenants)
  VALUES ($1, $2, clock_timestamp(), $3)
  ON CONFLICT (process) DO UPDATE SET state = excluded.state, written_at = excluded.written_at,
    tenants = excluded.tenants`

/** @throws WeirError as `openPostgresCatalog`. */
export async function openPostgresLedger(options: PostgresOptions): Promise<LedgerBook> {
  const database = await CatalogDatabase.open(options, 1)
  return {
    replace: (gone, page) =>
      database.transact(async transaction => {
        const found = await transaction.rows(LOCK, gone)
        if (found.length < gone.length) return false
        const others = gone.filter(process => process !== page.process)
        if (others.length > 0) await transaction.run(DELETE, others)
        const tenants = JSON.stringify(Object.fromEntries(page.tenants))
        await transaction.run(SAVE, page.process, page.state, tenants)
        return true
      }),
    pages: async () =>
      (await database.rows(ALL)).map(({ process, state, tenants, age_ms }): AgedPage => {
        const counts = JSON.parse(tenants as string) as Record<string, LedgerCounts>
        return {
          process: process as string,
          state: state as LedgerPage['state'],
          ageMs: Math.max(0, age_ms as number),
          tenants: new Map(Object.entries(counts)),
        }
      }),
    close: () => database.close(),
  }
}
