import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeCursor, encodeCursor } from './cursor.ts'

test('a cursor comes back as it went out', () => {
  for (const order of ['asc', 'desc'] as const) {
    const cursor = { order, timeUs: 1_763_683_200_123_456 }
    assert.deepEqual(decodeCursor(encodeCursor(cursor)), cursor)
  }
})

test('text that is no cursor is told apart', () => {
  for (const text of ['', 'x', '%%%', Buffer.from('v2,asc,5').toString('base64url')]) {
    assert.equal(decodeCursor(text), undefined)
  }
})
