import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WeirError, type ErrorKind } from '../ports/errors.ts'
import { encodeProblem, HttpProblem, problemOf } from './problem.ts'

test('every kind of error has its status', () => {
  const statuses: Record<ErrorKind, number | undefined> = {
    retryable: 503,
    overloaded: 503,
    rejected: 400,
    not_found: 404,
    conflict: 409,
    closed: 503,
    corrupt: 500,
    // A mistake of ours: 500, logged, and nothing of it told.
    config: undefined,
  }
  for (const [kind, status] of Object.entries(statuses)) {
    assert.equal(problemOf(new WeirError(kind as ErrorKind, 'why'))?.status, status, kind)
  }
  assert.equal(problemOf(new WeirError('retryable', 'full', { code: 'disk_full' }))?.status, 507)
})

test('who is asked to come back is told when, in whole seconds', () => {
  for (const [retryAfterMs, seconds] of [
    [undefined, '1'],
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [60_000, '60'],
  ] as const) {
    const options = retryAfterMs === undefined ? {} : { retryAfterMs }
    const problem = problemOf(new WeirError('overloaded', 'full', options))
    assert.equal(problem?.options.headers?.['retry-after'], seconds)
  }
})

test('what is thrown by mistake is no problem of the client', () => {
  for (const error of [new TypeError('x'), 'text', undefined, { statusCode: 400 }]) {
    assert.equal(problemOf(error), undefined)
  }
  assert.equal(problemOf(Object.assign(new Error('x'), { statusCode: 502 })), undefined)
  assert.equal(problemOf(Object.assign(new Error('x'), { statusCode: 415 }))?.status, 415)
})

test('a problem is written as RFC 9457 says, with items and limit where there are any', () => {
  const errors = [
    { index: 3, field: 'data.x', detail: 'is bad', reason: 'invalid_value', points: 1 },
  ]
  const problem = new HttpProblem(400, 'no', { errors, limit: 'ingest.maxDepth' })
  assert.deepEqual(JSON.parse(encodeProblem(problem, 'id-1')), {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'no',
    limit: 'ingest.maxDepth',
    errors: [{ index: 3, field: 'data.x', detail: 'is bad' }],
    request_id: 'id-1',
  })
})
