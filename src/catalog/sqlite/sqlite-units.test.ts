import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unitsContract } from '../units.contract.ts'
import { openSqliteUnits } from './sqlite-units.ts'

unitsContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-units-'))
  return {
    open: () => openSqliteUnits({ path: join(folder, 'catalog.db') }),
    cleanUp: () => rm(folder, { recursive: true }),
  }
})
