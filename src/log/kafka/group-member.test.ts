import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { Consumer } from '@platformatic/kafka'
import { until } from '../log.contract.ts'
import { GroupMember } from './group-member.ts'

test('tries to join that failed leave nothing behind', { timeout: 20_000 }, async t => {
  const signals = new Set<AbortSignal>()
  const listen = EventTarget.prototype.addEventListener
  t.mock.method(EventTarget.prototype, 'addEventListener', function (this: EventTarget, ...all) {
    if (this instanceof AbortSignal) signals.add(this)
    listen.apply(this, all as Parameters<typeof listen>)
  } as typeof listen)
  let tries = 0
  t.mock.method(Consumer.prototype, 'close', () => Promise.resolve())
  t.mock.method(Consumer.prototype, 'joinGroup', () => {
    tries++
    return Promise.reject(new Error('no coordinator'))
  })
  const member = new GroupMember({
    connection: { brokers: ['127.0.0.1:1'], clientId: 'weir-test', requestTimeoutMs: 10 },
    ...{ topic: 'topic', group: 'writer', sessionTimeoutMs: 1000 },
    onRevoked: () => {},
    onAssigned: () => Promise.resolve(),
  })
  t.after(() => member.close())
  member.start()
  await until(() => tries === 3)
  // Those of waiting for the next try.
  for (const signal of signals) {
    const { length } = getEventListeners(signal, 'abort')
    assert.ok(length <= 2, `${length} listeners after ${tries} tries`)
  }
})
