import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorText } from './error-text.ts'

test('an error is told with what caused it, each text once', () => {
  const refused = new Error('connect ECONNREFUSED 10.0.0.7:5432')
  const twice = new Error('it cannot be reached', { cause: refused })
  assert.equal(errorText(twice), 'it cannot be reached: connect ECONNREFUSED 10.0.0.7:5432')
  const repeated = new Error(`NATS: ${refused.message}`, { cause: refused })
  assert.equal(errorText(repeated), 'NATS: connect ECONNREFUSED 10.0.0.7:5432')
  const gathered = new AggregateError([new Error('one'), new Error('other')], '')
  assert.equal(errorText(new Error('away', { cause: gathered })), 'away: one: other')
  assert.equal(errorText('no error'), 'no error')
})
