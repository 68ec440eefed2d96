import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { memoryAnomalies } from '../../../test/fixtures/memory-anomalies.ts'
import { anAnomaly, anomaliesContract } from '../anomalies.contract.ts'
import { openSqliteAnomalies } from './sqlite-anomalies.ts'
import { openSqliteCatalog } from './sqlite-catalog.ts'

anomaliesContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-anomalies-'))
  return {
    open: () => openSqliteAnomalies({ path: join(folder, 'catalog.db') }),
    cleanUp: () => rm(folder, { recursive: true }),
  }
})

// What the tests of the stages and routes run on must mean the same.
anomaliesContract('memory', async () => ({
  open: () => Promise.resolve(memoryAnomalies()),
  cleanUp: () => Promise.resolve(),
}))

test('anomalies outlive their process, in the file of the catalog', async context => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-anomalies-'))
  context.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'catalog.db')
  const [catalog, anomalies] = await Promise.all([
    openSqliteCatalog({ path }),
    openSqliteAnomalies({ path }),
  ])
  await anomalies.save([anAnomaly()])
  // Another connection is another process to SQLite: what it reads is in the file.
  const reader = new DatabaseSync(path, { readOnly: true })
  assert.equal(reader.prepare('SELECT count(*) AS n FROM anomaly').get()?.n, 1)
  reader.close()
  await anomalies.close()
  await catalog.close()
  const again = await openSqliteAnomalies({ path })
  assert.equal((await again.countByDevice('default')).get('pump-1'), 1)
  await again.close()
})
