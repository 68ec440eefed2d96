import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLog } from '../../test/fixtures/memory-log.ts'
import { encodeFrame } from '../model/frame.ts'
import type { DeadLetter, DeadLetters } from '../ports/dead-letters.ts'
import { WeirError } from '../ports/errors.ts'
import { replayDeadLetters } from './replay-dead-letters.ts'

const frame = encodeFrame({
  ...{ tenant: 'default', devices: ['pump-1'], metrics: ['temperature'] },
  ...{ seriesDevice: Uint32Array.of(0), seriesMetric: Uint32Array.of(0) },
  seriesIndex: Uint32Array.of(0),
  ...{ timestamps: Float64Array.of(1.7e15), values: Float64Array.of(21) },
})
const damaged = Uint8Array.from(frame)
damaged[60] ^= 1

function lettersOf(all: Readonly<Record<string, Uint8Array>>): DeadLetters & { ids(): string[] } {
  const kept = new Map(Object.entries(all))
  return {
    ids: () => [...kept.keys()],
    put: () => Promise.resolve(),
    async *list() {
      for (const [id, bytes] of [...kept]) {
        const source = { partition: 0, offset: 0 }
        yield await Promise.resolve<DeadLetter>({
          ...{ id, bytes, source, reason: 'refused', group: 'writer', atMs: 0 },
        })
      }
    },
    remove(ids) {
      for (const id of ids) kept.delete(id)
      return Promise.resolve()
    },
  }
}

test('dead letters are appended again and removed; what is no frame stays, with its reason', async () => {
  const log = memoryLog()
  const deadLetters = lettersOf({ a: frame, b: damaged, c: frame })
  const { replayed, unreadable } = await replayDeadLetters({ log, deadLetters })
  assert.deepEqual(replayed, ['a', 'c'])
  assert.deepEqual(unreadable, [{ id: 'b', reason: 'checksum differs' }])
  assert.deepEqual(deadLetters.ids(), ['b'])
  assert.equal(log.status().pointsAppended, 2)
})

test('only the letters that are named are replayed', async () => {
  const log = memoryLog()
  const deadLetters = lettersOf({ a: frame, b: damaged, c: frame })
  const { replayed } = await replayDeadLetters({ log, deadLetters, ids: new Set(['c']) })
  assert.deepEqual([replayed, deadLetters.ids()], [['c'], ['a', 'b']])
})

test('a letter that the log does not take stays', async () => {
  const log = memoryLog()
  const refused = new WeirError('retryable', 'Kafka is away')
  log.before = () => Promise.reject(refused)
  const deadLetters = lettersOf({ a: frame })
  await assert.rejects(replayDeadLetters({ log, deadLetters }), refused)
  assert.deepEqual(deadLetters.ids(), ['a'])
})
