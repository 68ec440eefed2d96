import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { LOG_CAPABILITIES, STORE_CAPABILITIES } from '../config/engine-capabilities.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { systemClock } from '../ports/clock.ts'
import { logs, stores } from './engines.ts'

test('what is checked before a start is what the engines can do', async t => {
  const data = mkdtempSync(join(tmpdir(), 'weir-engines-'))
  t.after(() => rmSync(data, { recursive: true }))
  const loaded = loadConfig({ flags: [], env: {}, cwd: data })
  assert.ok('config' in loaded)
  const config: Config = { ...loaded.config, data }
  const context = { config, clock: systemClock }
  for (const name of ['embedded', 'none'] as const) {
    const log = await logs[name](context)
    assert.deepEqual({ ...log.capabilities }, LOG_CAPABILITIES[name], `log ${name}`)
    await log.close()
  }
  const store = await stores.blocks(context)
  assert.deepEqual({ ...store.capabilities }, STORE_CAPABILITIES['blocks'])
  await store.close()
})

test('every engine that can be configured is in the table', () => {
  for (const name of Object.keys(logs)) assert.ok(name in LOG_CAPABILITIES, `log ${name}`)
  for (const name of Object.keys(stores)) assert.ok(name in STORE_CAPABILITIES, `store ${name}`)
})
