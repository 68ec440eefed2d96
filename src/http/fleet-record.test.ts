import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isoFromTime, MAX_TIME_US } from '../model/time.ts'
import { encodeTimes } from './fleet-record.ts'

test('a record says when it was measured, and when it arrived where that is known', () => {
  const near = fc.integer({ min: 0, max: 5e6 })
  const times = fc.oneof(near, fc.integer({ min: 0, max: MAX_TIME_US }))
  fc.assert(
    fc.property(times, fc.option(near, { nil: undefined }), (deviceUs, arrivalMs) => {
      assert.deepEqual(JSON.parse(`{${encodeTimes(deviceUs, arrivalMs)}`), {
        device_time: isoFromTime(deviceUs),
        system_time_utc: arrivalMs === undefined ? null : isoFromTime(arrivalMs * 1000),
      })
    }),
  )
})
