import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import { batchOf, TestLog } from '../test-log.ts'
import { WriteOrder } from './write-order.ts'

const log = new TestLog()
const [first, second, third] = [0, 1, 2].map((): StoreEntry => log.append(batchOf('t', [])))
const elsewhere = log.append(batchOf('t', []), 1)
const isRetryable = (error: WeirError): boolean => error.kind === 'retryable'

test('what follows a failed entry waits until that one has come again', () => {
  const order = new WriteOrder()
  order.admit([first])
  order.failed([second, third])
  assert.throws(() => order.admit([third]), isRetryable)
  order.admit([elsewhere])
  order.admit([{ batch: first.batch, frame: first.frame }])
  order.admit([second, third])
  order.admit([third])
})

test('a position that others have moved past it lets a failed entry be forgotten', () => {
  const order = new WriteOrder()
  order.failed([second])
  order.reached(0, 1)
  assert.throws(() => order.admit([third]), isRetryable)
  order.reached(0, 2)
  order.admit([third])
})
