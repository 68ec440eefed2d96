import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryAnomalies } from '../../test/fixtures/memory-anomalies.ts'
import { encodeFrame } from '../model/frame.ts'
import { SeriesTable } from '../model/series-table.ts'
import type { Log, LogEntry, LogPosition, SubscribeOptions } from '../ports/log.ts'
import { Analytics } from './analytics.ts'
import { AnomalyJournal } from './anomaly-journal.ts'

function entryAt(position: LogPosition): LogEntry {
  const batch = {
    ...{ tenant: 'default', devices: ['d'], metrics: ['m'] },
    ...{ seriesDevice: Uint32Array.of(0), seriesMetric: Uint32Array.of(0) },
    ...{ seriesIndex: Uint32Array.of(0), timestamps: Float64Array.of(1e15 + position.offset) },
    values: Float64Array.of(position.offset),
  }
  return { batch, frame: encodeFrame(batch), position }
}

/** A log of three partitions that other processes read too. */
function sharedLog() {
  const commits: (readonly LogPosition[])[] = []
  const subscribed: SubscribeOptions[] = []
  const partitions = [0, 1, 2].map(partition => ({ partition, first: 0, next: 1000 }))
  const log: Log = {
    capabilities: { deliversBeforeAck: false, keepsEntries: true, isShared: true },
    append: () => Promise.resolve(),
    subscribe(options) {
      subscribed.push(options)
      return Promise.resolve({ caughtUp: Promise.resolve(), close: () => Promise.resolve() })
    },
    commit(_group, positions) {
      commits.push(positions)
      return Promise.resolve()
    },
    status: () => ({ partitions, pointsAppended: 0, bytes: 0 }),
    close: () => Promise.resolve(),
  }
  return { log, commits, subscribed }
}

test('of a shared log only what was read here is asked for and committed', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-analytics-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const open = async (log: Log): Promise<Analytics> => {
    const clock = fakeClock()
    const analytics = new Analytics({
      ...{ log, clock, table: new SeriesTable(), detectors: [], maxSeries: 10 },
      journal: new AnomalyJournal({
        ...{ clock, maxPerSecond: 10, maxPerTenant: 10, retentionMs: 1000 },
        ...{ anomalies: memoryAnomalies(), onError: () => assert.fail() },
      }),
      ...{ statePath: join(folder, 'state'), snapshotIntervalMs: 1000, snapshotBytes: 1e6 },
      ...{ onAnomaly: () => {}, onWarning: () => assert.fail() },
    })
    await analytics.start()
    await analytics.catchUp()
    return analytics
  }
  const { log, commits, subscribed } = sharedLog()
  const first = await open(log)
  assert.deepEqual(subscribed[0].from, [], 'the group has committed where to begin')
  await subscribed[0].deliver([entryAt({ partition: 1, offset: 41 })])
  await first.close()
  assert.deepEqual(commits, [[{ partition: 1, offset: 42 }]])
  const second = await open(log)
  assert.deepEqual(subscribed[1].from, [{ partition: 1, offset: 42 }])
  await subscribed[1].deliver([entryAt({ partition: 0, offset: 7 })])
  await second.close()
  // Another process may have partition 1 by now.
  assert.deepEqual(commits.slice(1), [[{ partition: 0, offset: 8 }]])
})
