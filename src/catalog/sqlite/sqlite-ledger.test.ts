import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ledgerContract } from '../ledger.contract.ts'
import { openSqliteLedger } from './sqlite-ledger.ts'

ledgerContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-ledger-'))
  return {
    open: () => openSqliteLedger({ path: join(folder, 'catalog.db') }),
    cleanUp: () => rm(folder, { recursive: true }),
  }
})
