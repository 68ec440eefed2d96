import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import { batchOf, TestLog } from '../test-log.ts'
import { WriteOrder } from './write-order.ts'

const log = new TestLog()
const [first, second, third] = [0, 1, 2].map((): StoreEntry => log.append(batchOf('t', [])))
const [elsewhere, elsewhereNext, elsewhereLast] = [0, 1, 2].map((): StoreEntry =>
  log.append(batchOf('t', []), 1),
)
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

test('what came before a failed entry and is under way yet does not let it be forgotten', () => {
  const order = new WriteOrder()
  order.failed([second])
  order.admit([first])
  assert.throws(() => order.admit([third]), isRetryable)
  order.admit([first, second, third])
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

test('what is not admitted whole leaves every mark, and has failed in its other partitions', () => {
  const order = new WriteOrder()
  order.failed([second])
  order.failed([elsewhere])
  assert.throws(() => order.admit([elsewhere, third]), isRetryable)
  assert.throws(() => order.admit([third]), isRetryable)
  assert.throws(() => order.admit([elsewhereNext]), isRetryable)
  order.admit([elsewhere, elsewhereNext])
  assert.throws(() => order.admit([elsewhereNext, third]), isRetryable)
  assert.throws(() => order.admit([elsewhereLast]), isRetryable)
  order.admit([second, third, elsewhereNext, elsewhereLast])
})
