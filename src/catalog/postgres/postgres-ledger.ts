import type { AgedPage, LedgerBook, LedgerCounts, LedgerPage } from '../../ports/ledger-book.ts'
import { WeirError } from '../../ports/errors.ts'
import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import { CatalogDatabase } from './catalog-database.ts'

const ALL = `SELECT process, state, tenants,
    extract(epoch FROM clock_timestamp() - written_at)::float8 * 1000 AS age_ms
  FROM ledger_page`
const SAVE = `INSERT INTO ledger_page (process, state, written_at, tenants)
  VALUES ($1, $2, clock_timestamp(), $3)`
const DELETE = 'DELETE FROM ledger_page WHERE process = ANY ($1)'

/** Nothing of the transaction stays. */
const GONE = new WeirError('conflict', 'a page is gone that was to be replaced')

/** @throws WeirError as `openPostgresCatalog`. */
export async function openPostgresLedger(options: PostgresOptions): Promise<LedgerBook> {
  const database = await CatalogDatabase.open(options, 1)
  const replace = (gone: readonly string[], { process, state, tenants }: LedgerPage) =>
    database.transact(async transaction => {
      // Also where the connection was lost at the end of a first try: whoever asks looks again.
      if ((await transaction.run(DELETE, gone)) < new Set(gone).size) throw GONE
      await transaction.run(SAVE, process, state, JSON.stringify(Object.fromEntries(tenants)))
    })
  return {
    async replace(gone, page) {
      try {
        await replace(gone, page)
        return true
      } catch (error) {
        if (error === GONE) return false
        throw error
      }
    },
    pages: async () =>
      (await database.rows(ALL)).map(({ process, state, age_ms: ageMs, tenants }): AgedPage => {
        const counts = JSON.parse(String(tenants)) as Record<string, LedgerCounts>
        return {
          process: String(process),
          state: state as LedgerPage['state'],
          ageMs: Math.max(0, Number(ageMs)),
          tenants: new Map(Object.entries(counts)),
        }
      }),
    close: () => database.close(),
  }
}
