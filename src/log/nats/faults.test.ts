import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { noProgram } from '../../../test/fixtures/no-program.ts'
import { ownNats } from '../../../test/fixtures/servers.ts'
import { WeirError } from '../../ports/errors.ts'
import type { Log } from '../../ports/log.ts'
import { recorder, tagOf, taggedEntry, until } from '../log.contract.ts'
import { Names } from './names.ts'
import { LogUnderTest } from './nats.fixture.ts'
import type { NatsLogOptions } from './nats-log.ts'

const skip = noProgram('nats-server')
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

async function started(t: TestContext, options: Partial<NatsLogOptions> = {}) {
  const server = await ownNats(t)
  return { server, subject: new LogUnderTest(t, server.address, options) }
}

/** Appends tag after tag until told to stop; which of them were acknowledged. */
function appendOn(log: Log): { stop(): Promise<Set<number>>; refused: WeirError[] } {
  const acknowledged = new Set<number>()
  const refused: WeirError[] = []
  let isOver = false
  const run = async (): Promise<void> => {
    for (let tag = 0; !isOver; tag++) {
      try {
        await log.append([taggedEntry(tag)])
        acknowledged.add(tag)
      } catch (error) {
        assert.ok(error instanceof WeirError, String(error))
        refused.push(error)
      }
    }
  }
  const running = run()
  return {
    refused,
    stop: async () => {
      isOver = true
      await running
      return acknowledged
    },
  }
}

describe('NATS that fails', { skip, timeout: 120_000, concurrency: 3 }, () => {
  it('loses nothing acknowledged when the server is killed in the middle of appends', async t => {
    const { server, subject } = await started(t, { partitions: 2 })
    const log = await subject.open()
    const { entries, deliver } = recorder()
    await log.subscribe({ group: 'a', from: [], deliver })
    const appending = appendOn(log)
    for (let round = 1; round <= 3; round++) {
      await until(() => entries.length > 200 * round)
      await server.kill()
      await server.start()
    }
    await until(() => entries.length > 700)
    const acknowledged = await appending.stop()
    const seen = (): Set<number> => new Set(entries.map(tagOf))
    await until(() => acknowledged.isSubsetOf(seen()))
    for (const partition of [0, 1]) {
      const offsets = entries.filter(({ position }) => position.partition === partition)
      assert.deepEqual(
        offsets.map(({ position }) => position.offset),
        upTo(offsets.length),
      )
    }
    // An append that was cut off is sent again under its id: no tag is there twice.
    assert.equal(entries.length, seen().size)
    assert.deepEqual(appending.refused.map(String), [])
  })

  it('refuses within the time-out while the server is suspended, and goes on after', async t => {
    const { server, subject } = await started(t, { requestTimeoutMs: 2000 })
    const log = await subject.open()
    const { entries, deliver } = recorder()
    await log.subscribe({ group: 'a', from: [], deliver })
    await log.append([taggedEntry(0)])
    server.pause()
    const big = taggedEntry(1, 20_000)
    const begun = performance.now()
    const written = process.memoryUsage().rss
    let refusals = 0
    while (performance.now() - begun < 10_000) {
      await assert.rejects(log.append([big]), error => (error as WeirError).kind === 'retryable')
      refusals++
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    assert.match(log.status().trouble ?? '', /NATS is away/)
    // Half a megabyte each, of which none was kept for later.
    assert.ok(refusals > 3, `${refusals} refusals`)
    assert.ok(process.memoryUsage().rss - written < 100e6)
    server.resume()
    for (let isBack = false; !isBack;) {
      await new Promise(resolve => setTimeout(resolve, 20))
      isBack = await log.append([taggedEntry(2)]).then(
        () => true,
        () => false,
      )
    }
    await until(() => entries.some(entry => tagOf(entry) === 2))
    assert.equal(log.status().trouble, undefined)
    assert.ok(entries.filter(entry => tagOf(entry) === 1).length <= 2)
  })

  it('refuses at once when the server is away for longer than the time-out', async t => {
    const { server, subject } = await started(t, { requestTimeoutMs: 1500 })
    const log = await subject.open()
    await server.kill()
    const refusal = await log.append([taggedEntry(0)]).catch((error: unknown) => error)
    assert.ok(refusal instanceof WeirError)
    assert.equal(refusal.kind, 'retryable')
    await until(() => log.status().trouble !== undefined)
    const retries = upTo(1000).map(tag => log.append([taggedEntry(tag, 1000)]))
    const outcomes = await Promise.allSettled(retries)
    assert.ok(outcomes.every(({ status }) => status === 'rejected'))
    await server.start()
    await until(() => log.status().trouble === undefined)
    await log.append([taggedEntry(7)])
    const { entries, deliver } = recorder()
    await (
      await log.subscribe({ group: 'a', from: [], deliver })
    ).caughtUp
    // Nothing that was refused had been kept to be sent later.
    assert.deepEqual(entries.map(tagOf), [7])
  })

  it('gives a process that was killed before its commit to another one again', async t => {
    const { subject } = await started(t, { partitions: 3 })
    const log = await subject.open()
    await log.append(upTo(30).map(tag => taggedEntry(tag)))
    const child = subject.consume('writer', { commits: false })
    await until(() => child.tags().length === 30)
    await child.kill()
    const { entries, deliver } = recorder()
    const subscription = await log.subscribe({ group: 'writer', from: [], deliver })
    await subscription.caughtUp
    assert.deepEqual(
      entries.map(tagOf).sort((a, b) => a - b),
      upTo(30),
    )
  })

  it('goes on where a killed process has committed, while others of the group live', async t => {
    const { subject } = await started(t, { partitions: 4 })
    const log = await subject.open()
    const { entries, deliver } = recorder()
    const own = await log.subscribe({ group: 'writer', from: [], deliver })
    await own.caughtUp
    const child = subject.consume('writer', { commits: true })
    await until(() => child.isSubscribed())
    let tag = 0
    const appendSome = (): Promise<void> => log.append(upTo(40).map(() => taggedEntry(tag++)))
    while (child.tags().length < 50) await appendSome()
    const before = tag
    await child.kill()
    for (let i = 0; i < 5; i++) await appendSome()
    const seen = (): Set<number> => new Set([...entries.map(tagOf), ...child.tags()])
    await until(() => seen().size === tag)
    // In turn: what each of the two had is in its order, per partition.
    const later = entries.filter(entry => tagOf(entry) >= before)
    assert.equal(new Set(later.map(({ position }) => position.partition)).size, 4)
  })

  it('takes partitions from a process that is suspended', async t => {
    const { subject } = await started(t, { partitions: 2 })
    const log = await subject.open()
    const child = subject.consume('writer', { commits: true })
    await until(() => child.isSubscribed())
    await log.append(upTo(20).map(tag => taggedEntry(tag)))
    await until(() => child.tags().length === 20)
    child.signal('SIGSTOP')
    const { entries, deliver } = recorder()
    await log.subscribe({ group: 'writer', from: [], deliver })
    await log.append(upTo(20).map(tag => taggedEntry(100 + tag)))
    await until(() => new Set(entries.map(tagOf).filter(tag => tag >= 100)).size === 20)
    child.signal('SIGCONT')
    // It gives up what it had, and is given its share again.
    let tag = 200
    while (child.tags().filter(seen => seen >= 200).length === 0) {
      await log.append(upTo(10).map(() => taggedEntry(tag++)))
    }
  })

  it('takes no more points when the server has forgotten what it acknowledged', async t => {
    const { subject } = await started(t)
    const log = await subject.open()
    await log.append([taggedEntry(0)])
    await log.append([taggedEntry(1)])
    // As after a power failure, without waiting for one.
    const client = await subject.client()
    const { streams } = await jetstreamManager(client)
    const { stream } = new Names(subject.options.prefix).entries(0)
    const { config } = await streams.info(stream)
    await streams.delete(stream)
    await streams.add(config)
    await until(() => log.status().failure !== undefined)
    assert.match(log.status().failure ?? '', /lost entries of stream .*: it ended before 2/)
    const error = await log.append([taggedEntry(2)]).catch((refusal: unknown) => refusal)
    assert.equal((error as WeirError).kind, 'closed')
  })
})
