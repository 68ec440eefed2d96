import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { recorder, taggedEntry, tagOf, until } from '../log.contract.ts'
import type { SubscribeOptions } from '../../ports/log.ts'
import { subscribeTo, type GroupParts } from './group-subscription.ts'
import { Names } from './names.ts'
import { ScriptedNats, ScriptedState } from './scripted-nats.fixture.ts'

const LIMIT = { timeout: 20_000 }

interface Given extends Partial<Pick<GroupParts, 'committed'>> {
  readonly messages: readonly Uint8Array[]
  /** The oldest that is kept. */
  readonly first?: number
  readonly put?: () => Promise<void>
}

/** A subscription to a log of one partition that has those messages. */
async function subscribed(t: TestContext, options: SubscribeOptions, given: Given) {
  const { messages, first = 0, put = () => assert.fail(), committed = () => undefined } = given
  const nats = new ScriptedNats()
  const names = new Names('weir')
  nats.append(names.entries(0).stream, ...messages)
  const place = { first, next: messages.length, bytes: 0 }
  const partitions = { count: 1, of: () => place, all: [place], refresh: () => Promise.resolve() }
  const failures: unknown[] = []
  const subscription = await subscribeTo(options, {
    ...{ link: nats.link, names, state: new ScriptedState().asState, id: 'one', leaseMs: 1000 },
    partitions: partitions as unknown as GroupParts['partitions'],
    deadLetters: { put } as unknown as GroupParts['deadLetters'],
    ...{ committed, onWarning: () => {}, onFailure: error => failures.push(error) },
  })
  t.after(() => subscription.close())
  return { subscription, failures }
}

const frames = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, tag) => taggedEntry(tag).frame)

test('nothing behind what could not be put aside is delivered at the end', LIMIT, async t => {
  const { entries, deliver } = recorder()
  let tries = 0
  const put = (): Promise<void> => {
    tries++
    return Promise.reject(new Error('NATS is away'))
  }
  const messages = [Buffer.from('no entry'), taggedEntry(1).frame]
  const options = { group: 'writer', from: [], deliver }
  const { subscription, failures } = await subscribed(t, options, { messages, put })
  await until(() => tries === 1)
  await subscription.close()
  assert.deepEqual([entries, failures], [[], []])
})

test('a group without a store begins at the newest place that is known of it', LIMIT, async t => {
  const begins = [
    { given: 2, committed: undefined, first: 0, wanted: 2 },
    { given: 2, committed: 4, first: 0, wanted: 4 },
    { given: 4, committed: 2, first: 0, wanted: 4 },
    { given: 2, committed: 2, first: 5, wanted: 5 },
  ]
  for (const { given, committed, first, wanted } of begins) {
    const { entries, deliver } = recorder()
    const options = { group: 'analytics', from: [{ partition: 0, offset: given }], deliver }
    const log = { messages: frames(6), first, committed: () => committed }
    const { subscription, failures } = await subscribed(t, options, log)
    await subscription.caughtUp
    assert.equal(tagOf(entries[0]), wanted)
    assert.deepEqual(failures, [])
    await subscription.close()
  }
})
