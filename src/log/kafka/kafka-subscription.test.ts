import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { SubscribeOptions } from '../../ports/log.ts'
import { recorder, taggedEntry, tagOf, until } from '../log.contract.ts'
import { KafkaSubscription, type SubscriptionContext } from './kafka-subscription.ts'
import { scriptConsumers, type Told } from './scripted-consumer.fixture.ts'

const LIMIT = { timeout: 20_000 }

interface Given extends Partial<Pick<SubscriptionContext, 'begins' | 'committed' | 'putAside'>> {
  readonly options: Partial<SubscribeOptions> & Pick<SubscribeOptions, 'deliver'>
  readonly assigned: readonly number[]
  readonly fetch: (partition: number, offset: number) => Told
}

/** A subscription that is given those partitions, of a topic whose only broker says what is fetched. */
function subscribed(t: TestContext, { options, assigned, fetch, ...given }: Given) {
  const connection = { brokers: ['127.0.0.1:1'], clientId: 'weir-test', requestTimeoutMs: 1000 }
  const commits = scriptConsumers(t, {
    leaders: () => Array.from({ length: Math.max(...assigned) + 1 }, () => 1),
    fetch: (_node, partition, offset) => fetch(partition, offset),
    assigned,
  })
  const subscription = new KafkaSubscription(
    { group: 'analytics', from: [], ...options },
    {
      ...{ connection, maxFetchBytes: 1 << 20, sessionTimeoutMs: 1000 },
      topic: { name: 'topic', id: 'id', partitions: 1, maxBatchBytes: 1 << 20 },
      begins: assigned.map(() => ({ first: 0, next: 0 })),
      committed: () => Promise.resolve([]),
      ...{
        putAside: () => assert.fail(),
        onSeen: () => {},
        onExpired: () => {},
        fail: () => assert.fail(),
      },
      ...given,
    },
  )
  t.after(() => subscription.close())
  subscription.start()
  return { subscription, commits }
}

/** The records of each partition are entries with their offsets as tags, up to `end`. */
const entriesUpTo =
  (end: number) =>
  (_partition: number, offset: number): Told => ({
    values: Array.from({ length: Math.max(0, end - offset) }, (_, i) =>
      Buffer.from(taggedEntry(offset + i).frame),
    ),
  })

test('a partition that the topic was given meanwhile is read, and is in no way', LIMIT, async t => {
  const { entries, deliver } = recorder()
  const { subscription } = subscribed(t, {
    ...{ options: { deliver }, assigned: [0, 1], fetch: entriesUpTo(3) },
    begins: [{ first: 0, next: 3 }],
  })
  await until(() => entries.length === 6)
  const ofNew = entries.filter(({ position }) => position.partition === 1)
  assert.deepEqual(ofNew.map(tagOf), [0, 1, 2])
  assert.equal(subscription.lagOf([{ first: 0, next: 3 }]), 3)
})

test('nothing behind what could not be put aside is delivered at the end', LIMIT, async t => {
  const { entries, deliver } = recorder()
  const values = [Buffer.from('no entry'), Buffer.from(taggedEntry(1).frame)]
  let tries = 0
  const { subscription } = subscribed(t, {
    ...{ options: { deliver }, assigned: [0] },
    fetch: (_partition, offset) => ({ values: values.slice(offset) }),
    putAside() {
      tries++
      return Promise.reject(new Error('brokers are away'))
    },
  })
  await until(() => tries === 1)
  await subscription.close()
  assert.deepEqual(entries, [])
})

test('a group without a store begins at the newest place that is known of it', LIMIT, async t => {
  const { entries, deliver } = recorder()
  // Given: 2, 2, 4 and nothing.
  const from = [2, 2, 4].map((offset, partition) => ({ partition, offset }))
  const { subscription, commits } = subscribed(t, {
    ...{ options: { deliver, from }, assigned: [0, 1, 2, 3], fetch: entriesUpTo(6) },
    begins: [0, 0, 0, 5].map(first => ({ first, next: 6 })),
    committed: () => Promise.resolve([-1, 4, 2, -1]),
  })
  await subscription.caughtUp
  const firsts = [0, 1, 2, 3].map(
    partition => entries.find(({ position }) => position.partition === partition)?.position.offset,
  )
  assert.deepEqual(firsts, [2, 4, 4, 5])
  // What it has of partition 1 is from before another member went on.
  await subscription.commit([0, 3, 6].map((offset, partition) => ({ partition, offset })))
  assert.deepEqual([...(commits.at(-1)?.values() ?? [])], [2, 4, 6, 5])
})
