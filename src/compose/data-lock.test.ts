import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { lockDataFolder } from './data-lock.ts'

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'weir-lock-'))
  context.after(() => rmSync(path, { recursive: true }))
  return join(path, 'data')
}

/** A process that takes the lock and keeps it. */
async function otherHolder(path: string) {
  const code = `
    const { lockDataFolder } = await import(${JSON.stringify(import.meta.resolve('./data-lock.ts'))})
    const lock = lockDataFolder(${JSON.stringify(path)})
    console.log('held')
    setInterval(() => lock, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

test('a folder that another process holds is refused, with that process named', async context => {
  const path = folder(context)
  const child = await otherHolder(path)
  context.after(() => child.kill('SIGKILL'))
  assert.throws(() => lockDataFolder(path), {
    kind: 'conflict',
    message: `the data folder ${path} is in use by process ${child.pid}`,
  })
})

test('a holder that is killed with SIGKILL leaves the folder free', async context => {
  const path = folder(context)
  const child = await otherHolder(path)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(existsSync(join(path, 'weir.pid')), 'the dead holder left its pid behind')
  lockDataFolder(path).release()
})

test('a process cannot hold a folder twice, and the second try does not loosen the first', async context => {
  const path = folder(context)
  const lock = lockDataFolder(path)
  assert.throws(() => lockDataFolder(path), { kind: 'conflict' })
  const code = `
    const { lockDataFolder } = await import(${JSON.stringify(import.meta.resolve('./data-lock.ts'))})
    lockDataFolder(${JSON.stringify(path)})`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'ignore' })
  const [exit] = await once(child, 'exit')
  assert.equal(exit, 1)
  lock.release()
})

test('what was released can be taken again, and releasing twice does nothing', context => {
  const path = folder(context)
  const first = lockDataFolder(path)
  first.release()
  const second = lockDataFolder(path)
  first.release()
  assert.throws(() => lockDataFolder(path), { kind: 'conflict' })
  second.release()
})
