import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { until } from '../../../test/fixtures/until.ts'
import { HAS_PROC, systemProcesses } from '../system/process-tree.ts'
import type { Role } from '../system/system.ts'
import { processTimes } from './proc-stat.ts'
import { RoleUsage } from './role-usage.ts'

const LIMIT = { timeout: 60_000, skip: HAS_PROC ? false : 'optional: this system has no /proc' }
/** The kernel counts ticks, of user and system each, rounded down. */
const TICKS_MS = 40

/** Burns so much CPU, says how much it was, and waits for the end. */
const burner = (cpuMs: number, then: string): string => `
  const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 }
  const end = used() + ${cpuMs}
  while (used() < end);
  process.stdout.write(used() + '\\n')
  ${then}
`
const WAITS = 'setInterval(() => {}, 1e6)'

function start(t: TestContext, program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => void child.kill('SIGKILL'))
  return child
}

async function said(child: ChildProcess): Promise<number> {
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return Number(line.toString())
}

test('what a process uses is what it says itself that it used', LIMIT, async t => {
  const child = start(t, process.execPath, ['-e', burner(400, WAITS)])
  const usage = new RoleUsage(() => [{ pid: child.pid!, role: 'api' }])
  const usedMs = await said(child)
  const seen = usage.sample()
  const cpuMs = seen.cpuMs.get('api')!
  // It began before the first look, which has seen some of it already.
  assert.ok(cpuMs > 0 && cpuMs <= usedMs + TICKS_MS, `${cpuMs} of ${usedMs} ms`)
  assert.ok(cpuMs >= 400 - TICKS_MS, `${cpuMs} of ${usedMs} ms`)
  assert.ok(seen.memoryBytes.get('api')! > 10_000_000)
  assert.equal(seen.processes.get('api'), 1)
})

test('processes that ended between two looks count, once', LIMIT, async t => {
  const script = burner(300, "process.stdin.once('data', () => process.exit())")
  const child = start(t, '/bin/sh', [
    '-c',
    'read -r _; "$0" -e "$1"; read -r _',
    process.execPath,
    script,
  ])
  const roots = { node: 0, servers: [{ pid: child.pid!, role: 'database' as Role }] }
  const usage = new RoleUsage(() =>
    systemProcesses(roots).filter(({ role }) => role === 'database'),
  )
  const saying = said(child)
  child.stdin!.write('go\n')
  let sum = 0
  const look = (): void => void (sum += usage.sample().cpuMs.get('database') ?? 0)
  const usedMs = await saying
  look()
  child.stdin!.write('end\n')
  await until('it was waited for', () => processTimes(child.pid!)!.endedChildrenMs > 0)
  look()
  assert.ok(sum >= usedMs - TICKS_MS, `${sum} of ${usedMs} ms`)
  look()
  // Its end takes some CPU that it cannot tell itself.
  const wholeMs = processTimes(child.pid!)!.endedChildrenMs + processTimes(child.pid!)!.ownMs
  assert.ok(Math.abs(sum - wholeMs) <= TICKS_MS, `${sum}, not ${wholeMs} ms`)
})

test('a process that has ended and is not waited for yet counts once too', LIMIT, async t => {
  const script = burner(300, "process.stdin.once('data', () => process.exit())")
  const child = start(t, '/bin/sh', [
    ...['-c', 'echo $$; read -r _; "$0" -e "$1"; read -r _'],
    ...[process.execPath, script],
  ])
  await said(child)
  const roots = { node: 0, servers: [{ pid: child.pid!, role: 'database' as Role }] }
  const family = () => systemProcesses(roots).filter(({ role }) => role === 'database')
  const usage = new RoleUsage(family)
  const ownMs = processTimes(child.pid!)!.ownMs
  const saying = said(child)
  child.stdin!.write('go\n')
  let sum = 0
  const look = (): void => void (sum += usage.sample().cpuMs.get('database') ?? 0)
  await saying
  look()
  const burning = family().find(({ pid }) => pid !== child.pid)!.pid
  // Its parent cannot wait for it meanwhile.
  child.kill('SIGSTOP')
  child.stdin!.write('end\n')
  await until('it has ended', () =>
    / \(.*\) Z /.test(readFileSync(`/proc/${burning}/stat`, 'utf8')),
  )
  look()
  child.kill('SIGCONT')
  await until('it was waited for', () => processTimes(child.pid!)!.endedChildrenMs > 0)
  look()
  const { endedChildrenMs, ownMs: whole } = processTimes(child.pid!)!
  const usedMs = endedChildrenMs + whole - ownMs
  assert.ok(Math.abs(sum - usedMs) <= TICKS_MS, `${sum}, not ${usedMs} ms`)
})

test('a process tree is told apart by what its workers call themselves', LIMIT, async t => {
  const code = `
    const { spawn } = require('node:child_process')
    for (const title of ['weir gateway-1', 'weir processor-1']) {
      const code = 'process.title = ' + JSON.stringify(title) + '; setInterval(() => {}, 1e6); console.log(1)'
      spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'inherit', 'inherit'] })
    }
    process.stdin.on('end', () => process.exit()).resume()
    setInterval(() => {}, 1e6)
  `
  const child = start(t, process.execPath, ['-e', code])
  let lines = ''
  child.stdout!.on('data', chunk => (lines += chunk))
  await until('both have begun', () => lines.length >= 4)
  const processes = systemProcesses({ node: child.pid!, servers: [] })
  const roles = processes.map(({ role }) => role)
  // They hold the pipe to here, and outlive their parent.
  for (const { pid } of processes) process.kill(pid, 'SIGKILL')
  assert.deepEqual(roles.sort(), ['api', 'consumer', 'supervisor'])
})
