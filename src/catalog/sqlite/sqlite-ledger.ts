import type { AgedPage, LedgerBook, LedgerCounts, LedgerPage } from '../../ports/ledger-book.ts'
import { Connection } from './connection.ts'

const ALL = `SELECT process, state, written_at_ms, tenants FROM ledger_page`
const FIND = `SELECT 1 FROM ledger_page WHERE process = ?`
const SAVE = `INSERT OR REPLACE INTO ledger_page (process, state, written_at_ms, tenants)
  VALUES (?, ?, ?, ?)`
const DELETE = `DELETE FROM ledger_page WHERE process = ?`

/**
 * @param path The catalog's file.
 * @throws WeirError as `openSqliteCatalog`.
 */
export async function openSqliteLedger({ path }: { readonly path: string }): Promise<LedgerBook> {
  const connection = await Connection.open(path, 'ledger')
  return {
    replace: async (gone, page) =>
      connection.transact({ isDurable: false }, () => {
        if (gone.some(process => connection.all(FIND, process).length === 0)) return false
        for (const process of gone) connection.run(DELETE, process)
        const tenants = JSON.stringify(Object.fromEntries(page.tenants))
        return connection.run(SAVE, page.process, page.state, Date.now(), tenants) === 1
      }),
    pages: async () =>
      connection.all(ALL).map(({ process, state, written_at_ms, tenants }): AgedPage => {
        const counts = JSON.parse(String(tenants)) as Record<string, LedgerCounts>
        return {
          process: String(process),
          state: state as LedgerPage['state'],
          ageMs: Math.max(0, Date.now() - Number(written_at_ms)),
          tenants: new Map(Object.entries(counts)),
        }
      }),
    close: () => connection.close(),
  }
}
