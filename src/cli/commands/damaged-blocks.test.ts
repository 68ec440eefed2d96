import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { stores } from '../../compose/engines.ts'
import { loadConfig } from '../../config/load.ts'
import { systemClock } from '../../ports/clock.ts'
import { cli } from '../cli.ts'

async function run(cwd: string, ...args: string[]) {
  let [out, err] = ['', '']
  const stdout = { write: (text: string) => void (out += text) }
  const stderr = { write: (text: string) => void (err += text) }
  const code = await cli(['damaged-blocks', ...args], { stdout, stderr, env: {}, cwd })
  return { code, out, err }
}

test('where nothing is damaged, or nothing is at all, that is said and nothing is made', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-damaged-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const none = { code: 0, out: 'There are no damaged blocks.\n', err: '' }
  assert.deepEqual(await run(folder, '--data', folder), none)
  assert.deepEqual(readdirSync(folder), [])
  const outcome = loadConfig({ flags: [], env: { WEIR_DATA: folder }, cwd: '/' })
  assert.ok('config' in outcome)
  const store = await stores.blocks({ config: outcome.config, clock: systemClock })
  await store.close()
  assert.deepEqual(await run(folder, '--data', folder, '--save', 'rescued'), none)
  assert.deepEqual(await run(folder, '--data=.', '--json'), { ...none, out: '' })
  assert.deepEqual(readdirSync(folder), ['store'])
})

test('a store that keeps no blocks is told, with exit code 2', async () => {
  const { code, out, err } = await run('/', '--store.engine=postgres', '--colour')
  assert.deepEqual([code, out], [2, ''])
  assert.match(err, /--colour/)
  const postgres = await run('/', '--store.engine=postgres')
  assert.deepEqual([postgres.code, postgres.out], [2, ''])
  assert.match(postgres.err, /store\.engine postgres keeps no blocks/)
})
