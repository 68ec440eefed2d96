import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { LogEntry } from '../ports/log.ts'
import { EntryRing } from './entry-ring.ts'

function entryOf(offset: number, bytes: number): LogEntry {
  const batch = {
    ...{ tenant: 'default', devices: ['d'], metrics: ['m'] },
    ...{ seriesDevice: Uint32Array.of(0), seriesMetric: Uint32Array.of(0) },
    ...{ seriesIndex: Uint32Array.of(0), timestamps: Float64Array.of(offset) },
    values: Float64Array.of(1),
  }
  return { batch, frame: new Uint8Array(bytes), position: { partition: 0, offset } }
}

test('what is not kept any more gives its memory back', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const ring = new EntryRing(10_000)
  const refs = Array.from({ length: 100 }, (_, offset) => {
    const entry = entryOf(offset, 1000)
    ring.push(entry)
    return new WeakRef(entry)
  })
  return new Promise<void>(resolve => setImmediate(resolve)).then(() => {
    collect()
    assert.ok(refs.filter(ref => ref.deref() !== undefined).length <= 11)
  })
})
