import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceUuid } from './device-uuid.ts'

test('a device has the same uuid whenever it is registered, and no other device has it', () => {
  assert.equal(deviceUuid('default', 'pump-1'), deviceUuid('default', 'pump-1'))
  const uuids = ['pump-1', 'pump-2'].flatMap(id => ['a', 'b'].map(t => deviceUuid(t, id)))
  assert.equal(new Set(uuids).size, 4)
  const form = /^[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
  for (const uuid of uuids) assert.match(uuid, form)
})
