import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEADER_BYTES } from './entry.ts'
import type { NatsLink } from './link.ts'
import { Names } from './names.ts'
import { NatsDeadLetters } from './nats-dead-letters.ts'
import type { Outgoing, Publisher } from './publisher.ts'

const MAX_PAYLOAD = 100_000
/** Of characters that take most in a header. */
const REASON = '語'.repeat(1000)

async function put(bytes: Uint8Array): Promise<Outgoing> {
  const published: Outgoing[] = []
  const letters = new NatsDeadLetters({
    link: { maxPayload: MAX_PAYLOAD } as NatsLink,
    names: new Names('weir'),
    publisher: {
      publish(messages: readonly Outgoing[]) {
        published.push(...messages)
        return Promise.resolve([])
      },
    } as unknown as Publisher,
  })
  const source = { partition: 63, offset: Number.MAX_SAFE_INTEGER }
  await letters.put([{ bytes, reason: REASON, source, group: 'analytics' }])
  return published[0]
}

test('the largest entry that the log takes is whole as a dead letter', async () => {
  const { data } = await put(new Uint8Array(MAX_PAYLOAD - HEADER_BYTES))
  assert.equal(data.length, MAX_PAYLOAD - HEADER_BYTES)
})

test('what is larger is cut, says so, and fits with its headers', async () => {
  const { data, headers } = await put(new Uint8Array(MAX_PAYLOAD))
  const [[name, about]] = Object.entries(headers)
  assert.match(decodeURIComponent(about), /the first \d+ of 100000 bytes/)
  // With the two that the publisher adds, `NATS/1.0` and what stands between.
  const rest = 'NATS/1.0 Nats-Msg-Id: _INBOX.0123456789012345678901.zzzz '.length
  const expected = 'Nats-Expected-Last-Subject-Sequence: 0 '.length
  assert.ok(data.length + name.length + about.length + rest + expected + 32 <= MAX_PAYLOAD)
})
