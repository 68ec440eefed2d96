import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BucketRead, RawRead } from '../ports/store.ts'
import { BoundedReads, type Reads } from './bounded-reads.ts'

const select = { tenant: 't', devices: ['d'], metrics: [] }
const range = { start: 0, end: 1 }
const RAW: RawRead = { select, range, limit: 1, order: 'asc' }
const BUCKETS: BucketRead = { select, range, intervalUs: 1, aggregates: ['avg'] }

function readsWith(timeoutMs: number, answer: Promise<never[]>) {
  const asked: object[] = []
  const note = (request: object): Promise<never[]> => {
    asked.push(request)
    return answer
  }
  const reads: Reads = { read: note, buckets: note, downsample: note }
  return { asked, bounded: new BoundedReads(reads, { maxPoints: 7, maxBuckets: 5, timeoutMs }) }
}

test('every read is told its bound', async () => {
  const { asked, bounded } = readsWith(1000, Promise.resolve([]))
  await bounded.read(RAW)
  await bounded.buckets(BUCKETS)
  await bounded.downsample({ select, range, maxPoints: 9 })
  assert.deepEqual(asked, [
    { ...RAW, bound: { most: 7, limit: 'query.maxPoints' } },
    { ...BUCKETS, bound: { most: 5, limit: 'query.maxBuckets' } },
    { select, range, maxPoints: 9, bound: { most: 7, limit: 'query.maxPoints' } },
  ])
})

test('a read that takes too long is given up, and may be tried again', async () => {
  const never = Promise.withResolvers<never[]>()
  const { bounded } = readsWith(5, never.promise)
  const expected = { kind: 'overloaded', limit: 'query.timeoutMs', retryAfterMs: 1000 }
  await assert.rejects(bounded.read(RAW), expected)
  // What comes of it later is nobody's business.
  never.reject(new Error('late'))
})
