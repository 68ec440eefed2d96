import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noProgram } from '../../../test/fixtures/no-program.ts'
import { natsServer, ownNats } from '../../../test/fixtures/servers.ts'
import { encodeFrame } from '../../model/frame.ts'
import { WeirError } from '../../ports/errors.ts'
import { recorder, tagOf, taggedEntry, until } from '../log.contract.ts'
import { LogUnderTest, natsOptions } from './nats.fixture.ts'
import { NatsLog } from './nats-log.ts'

const { address, skip } = natsServer()
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const rejection = (promise: Promise<unknown>): Promise<WeirError> =>
  promise.then(
    () => assert.fail('it should have been refused'),
    (error: unknown) => {
      assert.ok(error instanceof WeirError, String(error))
      return error
    },
  )

describe('the bounds of the log on NATS', { skip, timeout: 60_000 }, () => {
  it('refuses what is beyond its bytes like a full disk, until entries are trimmed', async t => {
    const subject = new LogUnderTest(t, address, { maxBytes: 200_000, trimDelayMs: 0 })
    const log = await subject.open()
    const { entries, deliver } = recorder()
    await log.subscribe({ group: 'writer', from: [], deliver })
    let tag = 0
    let refused: WeirError | undefined
    while (refused === undefined) {
      refused = await log.append([taggedEntry(tag++, 1000)]).then(
        () => undefined,
        (error: WeirError) => error,
      )
    }
    assert.deepEqual(
      [refused.kind, refused.code, refused.limit],
      ['retryable', 'disk_full', 'log.maxBytes'],
    )
    assert.ok(tag > 5, `${tag} appends`)
    await until(() => entries.length === tag - 1)
    const { position } = entries[entries.length - 1]
    await log.commit('writer', [{ ...position, offset: position.offset + 1 }])
    await until(() => log.status().partitions[0].first === position.offset + 1)
    assert.equal(log.status().bytes, 0)
    await log.append([taggedEntry(tag, 1000)])
    await until(() => tagOf(entries[entries.length - 1]) === tag)
  })

  it('trims only what every group has committed, and that only after a while', async t => {
    const subject = new LogUnderTest(t, address, { trimDelayMs: 1000 })
    const log = await subject.open()
    await log.append(upTo(10).map(tag => taggedEntry(tag)))
    for (const group of ['writer', 'analytics']) {
      const { deliver } = recorder()
      await (
        await log.subscribe({ group, from: [], deliver })
      ).caughtUp
    }
    const begun = performance.now()
    await log.commit('writer', [{ partition: 0, offset: 10 }])
    await log.commit('analytics', [{ partition: 0, offset: 4 }])
    await until(() => log.status().partitions[0].first > 0)
    assert.ok(performance.now() - begun >= 1000)
    assert.equal(log.status().partitions[0].first, 4)
    // A position that is gone: the store is of another log, or was restored.
    const from = [{ partition: 0, offset: 2 }]
    const onAssigned = () => Promise.resolve(from)
    const store = { group: 'other', from, onAssigned, deliver: () => {} }
    const error = await rejection(log.subscribe(store))
    assert.equal(error.kind, 'rejected')
    assert.match(error.message, /from offset 2 on, but the log keeps 4 to 9/)
    // What is kept in memory only begins with what there is: the store has the rest.
    const { entries, deliver } = recorder()
    const tail = await log.subscribe({ group: 'tail', from, deliver, members: 'everyone' })
    await tail.caughtUp
    assert.equal(entries.length, 6)
  })

  it('sends batches larger than a message in parts that have all points', async t => {
    const subject = new LogUnderTest(t, address, {})
    const log = await subject.open()
    const { entries, deliver } = recorder()
    await log.subscribe({ group: 'writer', from: [], deliver })
    const { batch } = taggedEntry(0, 1_000_000)
    const values = Float64Array.from(batch.values, (_, i) => i)
    const large = { ...batch, values }
    await log.append([{ batch: large, frame: encodeFrame(large) }])
    const points = (): number => entries.reduce((sum, one) => sum + one.batch.values.length, 0)
    await until(() => points() === 1_000_000)
    assert.ok(entries.length > 1)
    let next = 0
    for (const entry of entries) for (const value of entry.batch.values) assert.equal(value, next++)
  })

  it('opens with the partitions that there are, and never fewer', async t => {
    const subject = new LogUnderTest(t, address, { partitions: 3 })
    await subject.open()
    const fewer = await subject.open({ partitions: 1 })
    assert.equal(fewer.status().partitions.length, 3)
    const more = await subject.open({ partitions: 5 })
    assert.equal(more.status().partitions.length, 5)
  })

  it('says that points may be lost at a power failure, unless it sees that they are not', async t => {
    const warnings: string[] = []
    const subject = new LogUnderTest(t, address)
    await subject.open({ onWarning: message => warnings.push(message) })
    assert.equal(warnings.length, 1)
    assert.match(warnings[0], /sync_interval: always/)
    assert.match(warnings[0], /lost if the server loses power/)
  })
})

describe(
  'NATS servers that do not fit',
  { skip: noProgram('nats-server'), timeout: 60_000 },
  () => {
    it('is a mistake of the configuration when the server refuses the login', async t => {
      const server = await ownNats(t)
      const wrong = server.address.replace(/:[^:@]+@/, ':hush@')
      const error = await rejection(NatsLog.open(natsOptions(wrong, { prefix: 'weir' })))
      assert.equal(error.kind, 'config')
      assert.match(error.message, /Authorization/i)
      assert.doesNotMatch(error.message, /hush/)
    })

    it('is worth another try when nobody answers', async () => {
      const options = natsOptions('nats://127.0.0.1:9', { prefix: 'weir', requestTimeoutMs: 300 })
      const error = await rejection(NatsLog.open(options))
      assert.equal(error.kind, 'retryable')
    })
  },
)
