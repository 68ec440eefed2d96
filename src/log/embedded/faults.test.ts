import assert from 'node:assert/strict'
import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { faultyDisk, noFaultyDisk, smallDisk } from '../../../test/fixtures/faulty-disk.ts'
import { noProgram } from '../../../test/fixtures/no-program.ts'
import type { LogEntry, LogStatus } from '../../ports/log.ts'
import { recorder, tagOf, taggedEntry } from '../log.contract.ts'
import type { ChildRequest } from './append-child.ts'
import { EmbeddedLog } from './embedded-log.ts'

interface Reply {
  id?: number
  acknowledged?: number
  kind?: string
  code?: string
  message?: string
  unhandled?: string
  status?: LogStatus
  delivered?: number[]
}

const children: ChildProcess[] = []
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child)
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function start(directory: string, env: Readonly<Record<string, string>> = {}) {
  const child = fork(join(import.meta.dirname, 'append-child.ts'), [directory], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  children.push(child)
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  let requests = 0
  const answers = new Map<number, (reply: Reply) => void>()
  child.on('message', (reply: Reply) => {
    assert.equal(reply.unhandled, undefined)
    answers.get(reply.id ?? -1)?.(reply)
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the child ended (${code ?? signal}): ${errors}`)
  })
  ended.catch(() => {})
  const reply = (id: number): Promise<Reply> =>
    Promise.race([new Promise<Reply>(resolve => answers.set(id, resolve)), ended])
  const ask = (request: ChildRequest): Promise<Reply> => {
    child.send({ id: ++requests, request })
    return reply(requests)
  }
  await reply(0)
  const append = (tag: number, points = 100): Promise<Reply> => ask({ do: 'append', tag, points })
  const status = async (): Promise<LogStatus> => {
    const { status } = await ask({ do: 'status' })
    assert.ok(status)
    return status
  }
  return { child, ask, append, status }
}

async function readLog(directory: string): Promise<LogEntry[]> {
  const log = await EmbeddedLog.open({ directory })
  const { entries, deliver } = recorder()
  await (
    await log.subscribe({ group: 'reader', from: [], deliver })
  ).caughtUp
  await log.close()
  return entries
}

describe('the embedded log on a failing disk', { timeout: 120_000 }, () => {
  const missing = noFaultyDisk()

  it('refuses appends on a full disk, appends nothing, and goes on when there is room', async t => {
    const reason = await missing
    if (reason !== undefined) return t.skip(reason)
    const disk = await faultyDisk()
    cleanups.push(disk.remove)
    const directory = join(disk.directory, 'log')
    const child = await start(directory, disk.env)
    for (let tag = 0; tag < 3; tag++) assert.equal((await child.append(tag)).acknowledged, tag)
    const before = await child.status()
    await disk.set('full')
    for (let attempt = 0; attempt < 3; attempt++) {
      const refused = await child.append(3)
      assert.deepEqual([refused.kind, refused.code], ['retryable', 'disk_full'], refused.message)
      assert.deepEqual(await child.status(), before)
    }
    assert.ok((await disk.hits()) >= 3)
    await disk.set('none')
    for (let tag = 3; tag < 6; tag++) assert.equal((await child.append(tag)).acknowledged, tag)
    const { delivered } = await child.ask({ do: 'status' })
    assert.deepEqual(delivered, [0, 1, 2, 3, 4, 5])
    await child.ask({ do: 'close' })
    assert.deepEqual((await readLog(directory)).map(tagOf), [0, 1, 2, 3, 4, 5])
  })

  it('does the same on a file system that is really full, and trimming makes room', async t => {
    const disk = await smallDisk(4 << 20)
    if (typeof disk === 'string') return t.skip(disk)
    cleanups.push(disk.remove)
    const directory = join(disk.directory, 'log')
    const child = await start(directory)
    let tag = 0
    let refused: Reply = {}
    while (refused.kind === undefined && tag < 1000) {
      refused = await child.append(tag, 1000)
      if (refused.acknowledged !== undefined) tag++
    }
    assert.deepEqual([refused.kind, refused.code], ['retryable', 'disk_full'], refused.message)
    assert.ok(tag > 100, `${tag} entries`)
    // Sizes that meet the end of the disk at other places: ENOSPC, short writes.
    for (const points of [1000, 20_000, 400, 5000, 20_000]) {
      const again = await child.append(tag, points)
      if (again.acknowledged !== undefined) tag++
      else assert.deepEqual([again.kind, again.code], ['retryable', 'disk_full'], again.message)
    }
    const { partitions } = await child.status()
    assert.equal(partitions[0].next, tag)
    await child.ask({ do: 'commit', offset: tag })
    const { first } = (await child.status()).partitions[0]
    assert.ok(first > tag - 40, `${first} of ${tag}`)
    for (let i = 0; i < 50; i++, tag++) {
      assert.equal((await child.append(tag, 1000)).acknowledged, tag)
    }
    await child.ask({ do: 'close' })
    const kept = await readLog(directory)
    assert.deepEqual(
      kept.map(tagOf),
      Array.from({ length: tag - first }, (_, i) => first + i),
    )
  })

  it('acknowledges nothing after a failed sync, until it is restarted', async t => {
    const reason = await missing
    if (reason !== undefined) return t.skip(reason)
    const disk = await faultyDisk()
    cleanups.push(disk.remove)
    const directory = join(disk.directory, 'log')
    const child = await start(directory, disk.env)
    for (let tag = 0; tag < 3; tag++) assert.equal((await child.append(tag)).acknowledged, tag)
    await disk.set('sync')
    const refused = await Promise.all([child.append(3), child.append(4)])
    assert.deepEqual(
      refused.map(reply => reply.kind),
      ['closed', 'closed'],
    )
    assert.ok((await disk.hits()) >= 1)
    await disk.set('none')
    const hits = await disk.hits()
    for (let attempt = 0; attempt < 3; attempt++) {
      assert.equal((await child.append(5)).kind, 'closed')
    }
    assert.equal(await disk.hits(), hits)
    const status = await child.status()
    assert.match(status.failure ?? '', /write failed: EIO/)
    assert.equal(status.partitions[0].next, 3)
    await child.ask({ do: 'close' })
    await once(child.child, 'exit')
    assert.equal(child.child.exitCode, 0)
    const tags = (await readLog(directory)).map(tagOf)
    assert.deepEqual(tags.slice(0, 3), [0, 1, 2])
    assert.ok(tags.length === 3 || (tags.length === 4 && tags[3] === 3), String(tags))
    const log = await EmbeddedLog.open({ directory })
    await log.append([taggedEntry(tags.length)])
    await log.close()
  })

  it('goes on when the process may open files again', { skip: noProgram('prlimit') }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'weir-log-'))
    cleanups.push(() => rm(directory, { recursive: true }))
    const { child, ask, append, status } = await start(directory)
    // Those that it has stay open.
    const mayOpen = (files: number): Buffer =>
      execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${files}:`])
    await append(0, 1000)
    mayOpen(1)
    let tag = 1
    let refused: Reply = {}
    while (refused.kind === undefined && tag < 1000) {
      refused = await append(tag, 1000)
      if (refused.acknowledged !== undefined) tag++
    }
    for (const { kind, message = '' } of [refused, await append(tag, 1000)]) {
      assert.equal(kind, 'retryable', message)
      assert.match(message, /EMFILE/)
    }
    assert.equal((await status()).failure, undefined)
    mayOpen(512)
    const end = tag + 40
    for (; tag < end; tag++) assert.equal((await append(tag, 1000)).acknowledged, tag)
    // Segments are removed with their directory's consent, which is a file too.
    mayOpen(1)
    assert.equal((await ask({ do: 'commit', offset: tag })).kind, 'retryable')
    mayOpen(512)
    assert.equal((await ask({ do: 'commit', offset: tag })).kind, undefined)
    const { first } = (await status()).partitions[0]
    assert.ok(first > tag - 40, `${first} of ${tag}`)
    await ask({ do: 'close' })
    const kept = await readLog(directory)
    assert.deepEqual(
      kept.map(tagOf),
      Array.from({ length: tag - first }, (_, i) => first + i),
    )
  })

  it('has every acknowledged entry after SIGKILL, in order and without gaps', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'weir-log-'))
    cleanups.push(() => rm(directory, { recursive: true }))
    for (let round = 1; round <= 5; round++) {
      const { child, ask } = await start(directory)
      let acknowledged = -1
      const enough = new Promise<void>(resolve => {
        child.on('message', (reply: Reply) => {
          acknowledged = reply.acknowledged ?? acknowledged
          if (acknowledged >= round * 40) resolve()
        })
      })
      void ask({ do: 'flood', points: 2000 }).catch(() => {})
      await enough
      await kill(child)
      const entries = await readLog(directory)
      assert.ok(
        entries.length > acknowledged,
        `${entries.length} kept, ${acknowledged} acknowledged`,
      )
      entries.forEach((entry, i) => {
        assert.equal(entry.position.offset, i)
        assert.equal(tagOf(entry), i)
      })
    }
  })
})
