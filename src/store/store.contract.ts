import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeFrame } from '../model/frame.ts'
import type { WeirError } from '../ports/errors.ts'
import type { NewestRead } from '../ports/latest.ts'
import type { LogPosition } from '../ports/log.ts'
import { storeReadContract } from './store-read.contract.ts'
import { storeScanContract } from './store-scan.contract.ts'
import { EVERYTHING, Subject, TENANT } from './store-subject.ts'
import type { OpenStore } from './store-subject.ts'
import { batchOf } from './test-log.ts'
import type { TestPoint } from './test-log.ts'

function point(time: number, value: number | string, name = 'd/m'): TestPoint {
  const [device, metric] = name.split('/')
  return typeof value === 'string'
    ? { device, metric, time, text: value }
    : { device, metric, time, value }
}

/** What every `Store` must do, whatever its engine. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`${name} keeps the contract of a store`, () => {
    writes(open)
    counts(open)
    tenants(open)
    positions(open)
    restarts(open)
    storeReadContract(open)
    storeScanContract(open)
  })
}

function writes(open: OpenStore): void {
  test('an empty store answers nothing', async t => {
    const { store } = await Subject.start(t, open)
    const select = { tenant: TENANT, devices: ['d'], metrics: [] }
    const range = EVERYTHING
    assert.deepEqual(await store.read({ select, range, limit: 10, order: 'asc' }), [])
    assert.deepEqual(
      await store.buckets({ select, range, intervalUs: 1000, aggregates: ['avg'] }),
      [],
    )
    assert.deepEqual(await store.downsample({ select, range, maxPoints: 10 }), [])
    for await (const chunk of store.latest()) assert.fail(`${chunk.devices.length} newest points`)
    assert.deepEqual(await store.positions(), [])
    const { stored, duplicate, unsettled, series } = await store.stats()
    assert.deepEqual([stored, duplicate, unsettled, series], [0, 0, 0, 0])
  })

  test('values, texts and times come back bit for bit, before and after a flush', async t => {
    const subject = await Subject.start(t, open)
    const values = [0, -0, 0.1, -1e-300, 5e-324, Number.MAX_VALUE, 2 ** 53 + 2, 1 / 3, -273.15]
    const texts = ['', 'on', 'naïve ☂ 🌊', '"quoted", \\ and \n lines', 'x'.repeat(10_000)]
    const rows = [...values, ...texts].map((value, i): [number, number | string] => [i * i, value])
    rows.push([2 ** 53 - 1, 'the last time there is'])
    await subject.write(rows.map(([time, value]) => point(time, value)))
    assert.deepEqual(await subject.rows('d', 'm'), rows)
    await subject.store.flush()
    assert.deepEqual(await subject.rows('d', 'm'), rows)
  })

  test('the last write of a key wins, in a batch, across batches and across flushes', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([point(1, 1), point(2, 2), point(1, 10), point(3, 3), point(4, 4)])
    await subject.write([point(2, 20)])
    assert.deepEqual(await subject.rows('d', 'm'), [
      [1, 10],
      [2, 20],
      [3, 3],
      [4, 4],
    ])
    await subject.store.flush()
    await subject.write([point(3, 30), point(3, 31)])
    assert.deepEqual(await subject.rows('d', 'm'), [
      [1, 10],
      [2, 20],
      [3, 31],
      [4, 4],
    ])
    await subject.store.flush()
    assert.deepEqual(await subject.rows('d', 'm'), [
      [1, 10],
      [2, 20],
      [3, 31],
      [4, 4],
    ])
  })

  test('a text may replace a number of the same key, and a number a text', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([point(1, 1), point(2, 'two'), point(3, 3)])
    await subject.store.flush()
    await subject.write([point(2, 2), point(1, 'one')])
    assert.deepEqual(await subject.rows('d', 'm'), [
      [1, 'one'],
      [2, 2],
      [3, 3],
    ])
    await subject.store.flush()
    assert.deepEqual(await subject.rows('d', 'm'), [
      [1, 'one'],
      [2, 2],
      [3, 3],
    ])
  })

  test('names are kept apart, however odd they are, and so are tenants', async t => {
    const subject = await Subject.start(t, open)
    const names = ['__proto__', 'constructor', "o'brien", 'ä b/c', '%', 'A', 'a', 'x'.repeat(200)]
    await subject.write(names.map((device, i) => ({ device, metric: 'm', time: 1, value: i })))
    await subject.write(names.map((metric, i) => ({ device: 'd', metric, time: 1, value: -1 - i })))
    await subject.write([{ device: 'A', metric: 'm', time: 1, value: 99 }], 'other')
    for (const [i, name] of names.entries()) {
      assert.deepEqual(await subject.rows(name, 'm'), [[1, i]])
      assert.deepEqual(await subject.rows('d', name), [[1, -1 - i]])
    }
    assert.deepEqual(await subject.rows('A', 'm', 'other'), [[1, 99]])
    assert.deepEqual(await subject.rows('a', 'm', 'other'), [])
  })

  test('the frames of a write stay with the caller', async t => {
    const subject = await Subject.start(t, open)
    const entry = subject.log.append(batchOf(TENANT, [point(1, 1), point(2, 2)]))
    const written = subject.store.write([entry])
    assert.equal(decodeFrame(entry.frame).timestamps.length, 2)
    await written
    assert.equal(decodeFrame(entry.frame).timestamps.length, 2)
  })

  test('a read sees every write that was called before it, or at least what was resolved', async t => {
    const subject = await Subject.start(t, open)
    const { readsFollowWrites } = subject.store.capabilities
    for (let i = 0; i < 200; i++) {
      const written = subject.write([point(i, i)])
      if (!readsFollowWrites) await written
      assert.equal((await subject.rows('d', 'm')).length, i + 1)
      await written
    }
  })

  test('writes that nobody awaits are taken in the order of their calls', async t => {
    const subject = await Subject.start(t, open)
    const writing: Promise<void>[] = []
    for (let i = 0; i < 500; i++) writing.push(subject.write([point(1, i), point(10 + i, i)]))
    await Promise.all(writing)
    const rows = await subject.rows('d', 'm')
    assert.equal(rows.length, 501)
    assert.deepEqual(rows[0], [1, 499])
  })
}

function counts(open: OpenStore): void {
  test('stored, duplicate and unsettled add up to what was written, and settle', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([point(10, 1), point(20, 2), point(10, 3), point(5, 4)])
    const early = await subject.store.stats()
    assert.equal(early.stored + early.duplicate + early.unsettled, 4)
    await subject.store.flush()
    await subject.write([point(20, 5), point(15, 6), point(30, 7)])
    const middle = await subject.store.stats()
    assert.equal(middle.stored + middle.duplicate + middle.unsettled, 7)
    await subject.store.flush()
    const { stored, duplicate, unsettled, series } = await subject.store.stats()
    assert.deepEqual([stored, duplicate, unsettled, series], [5, 2, 0, 1])
  })

  test('a batch that comes again at a new position changes nothing but the count', async t => {
    const subject = await Subject.start(t, open)
    const points = Array.from({ length: 50 }, (_, i) => point(i * 7, i))
    await subject.write(points)
    await subject.store.flush()
    const rows = await subject.rows('d', 'm')
    await subject.write(points)
    await subject.store.flush()
    assert.deepEqual(await subject.rows('d', 'm'), rows)
    const { stored, duplicate, unsettled } = await subject.store.stats()
    assert.deepEqual([stored, duplicate, unsettled], [50, 50, 0])
  })
}

function tenants(open: OpenStore): void {
  test('points are counted for their tenants, and all tenants add up', async t => {
    const subject = await Subject.start(t, open)
    const write = (tenant: string, points: TestPoint[]) => subject.write(points, tenant)
    const of = async (tenant: string) => {
      const stats = await subject.store.stats()
      let written = 0
      for (const one of stats.tenants.values()) {
        written += one.stored + one.duplicate + one.unsettled
      }
      assert.equal(written, stats.stored + stats.duplicate + stats.unsettled)
      const { stored, duplicate, unsettled } = stats.tenants.get(tenant) ?? {}
      return [stored, duplicate, unsettled]
    }
    await write('a', [point(10, 1), point(20, 2)])
    await write('__proto__', [point(10, 1)])
    assert.deepEqual(await of('a'), [2, 0, 0])
    await write('a', [point(10, 3), point(5, 3)])
    // Which of them are settled yet is the store's affair.
    const [stored = 0, duplicate = 0, unsettled = 0] = await of('a')
    assert.equal(stored + duplicate + unsettled, 4)
    await subject.store.flush()
    assert.deepEqual(await of('a'), [3, 1, 0])
    assert.deepEqual(await of('__proto__'), [1, 0, 0])
    await write('__proto__', [point(10, 1), point(9, 1)])
    await subject.store.flush()
    await subject.reopen()
    assert.deepEqual(await of('a'), [3, 1, 0])
    assert.deepEqual(await of('__proto__'), [2, 1, 0])
  })
}

function positions(open: OpenStore): void {
  test('positions advance with a flush, and listeners are told', async t => {
    const subject = await Subject.start(t, open)
    const told: (readonly LogPosition[])[] = []
    subject.store.onCommit(positions => told.push(positions))
    await subject.write([point(1, 1)])
    await subject.write([point(2, 2)])
    const other = subject.log.append(batchOf(TENANT, [point(3, 3, 'e/m')]), 7)
    await subject.store.write([other])
    await subject.store.flush()
    const expected = [
      { partition: 0, offset: 2 },
      { partition: 7, offset: 1 },
    ]
    const byPartition = (a: LogPosition, b: LogPosition): number => a.partition - b.partition
    assert.deepEqual((await subject.store.positions()).toSorted(byPartition), expected)
    assert.deepEqual(told.at(-1)?.toSorted(byPartition), expected)
  })

  test('entries at positions that are taken already change nothing', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([point(1, 1), point(2, 2), point(1, 3)])
    await subject.store.write(subject.log.entries)
    await subject.store.flush()
    await subject.store.write(subject.log.entries)
    await subject.write([point(1, 4)])
    await subject.store.write(subject.log.entries)
    await subject.store.flush()
    const { stored, duplicate, unsettled } = await subject.store.stats()
    assert.deepEqual([stored, duplicate, unsettled], [2, 2, 0])
    assert.deepEqual(await subject.rows('d', 'm'), [
      [1, 4],
      [2, 2],
    ])
  })

  test('an entry without points only moves the position', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([])
    await subject.store.write([])
    await subject.store.flush()
    assert.deepEqual(await subject.store.positions(), [{ partition: 0, offset: 1 }])
  })
}

function restarts(open: OpenStore): void {
  test('everything is there after a restart', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([point(1, 1), point(3, 'three'), point(2, 2), point(9, 9, 'e/n')])
    // Not flushed, not even awaited: closing flushes.
    const written = subject.write([point(4, 4)])
    await subject.reopen()
    await written
    const rows = [
      [1, 1],
      [2, 2],
      [3, 'three'],
      [4, 4],
    ]
    assert.deepEqual(await subject.rows('d', 'm'), rows)
    assert.deepEqual(await subject.store.positions(), [{ partition: 0, offset: 2 }])
    const { stored, duplicate, unsettled, series } = await subject.store.stats()
    assert.deepEqual([stored, duplicate, unsettled, series], [5, 0, 0, 2])
    await subject.store.write(subject.log.entries)
    await subject.write([point(5, 5), point(9, 10, 'e/n')])
    assert.deepEqual(await subject.rows('d', 'm'), [...rows, [5, 5]])
    assert.deepEqual(await subject.rows('e', 'n'), [[9, 10]])
  })

  test('latest is the newest by time of each series, not the last to arrive', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([point(50, 1), point(40, 2), point(7, 'on', 'e/s'), point(6, 'off', 'e/s')])
    await subject.store.flush()
    await subject.write([point(30, 3), point(50, 4), point(7, 8, 'e/s')])
    await subject.write([point(5, 5, 'd/m')], 'other')
    await subject.store.flush()
    const expected = [
      [TENANT, 'd', 'm', 50, 4],
      [TENANT, 'e', 's', 7, 8],
      ['other', 'd', 'm', 5, 5],
    ]
    const byName = (rows: unknown[]): string[] => rows.map(row => JSON.stringify(row)).sort()
    assert.deepEqual(byName(await subject.latest()), byName(expected))
    await subject.reopen()
    assert.deepEqual(byName(await subject.latest()), byName(expected))
  })

  test('the series with the newest points are told newest first, where the store tells them', async t => {
    const subject = await Subject.start(t, open)
    const { store } = subject
    if (store.newest === undefined) return
    await subject.write([
      point(50, 1),
      point(9, 2, 'd/s'),
      point(50, 'on', 'c/m'),
      point(8, 3, 'e/m'),
    ])
    await subject.write([point(99, 1, 'd/m')], 'other')
    await subject.write([point(60, 4, 'e/m'), point(40, 5)])
    await store.flush()
    const newest = async (read: Omit<NewestRead, 'tenant'>): Promise<unknown[]> =>
      (await store.newest!({ tenant: TENANT, ...read })).map(Object.values)
    const [e, c, d, s] = [
      ['e', 'm', 60],
      ['c', 'm', 50],
      ['d', 'm', 50],
      ['d', 's', 9],
    ]
    assert.deepEqual(await newest({ limit: 9 }), [e, c, d, s])
    assert.deepEqual(await newest({ limit: 2 }), [e, c])
    assert.deepEqual(await newest({ device: 'd', limit: 9 }), [d, s])
    assert.deepEqual(await newest({ metric: 'm', limit: 9 }), [e, c, d])
    assert.deepEqual(await newest({ device: 'd', metric: 's', limit: 1 }), [s])
    assert.deepEqual(await newest({ device: 'nobody\0', limit: 1 }), [])
  })

  test('after close every call is refused as closed, and close may be called again', async t => {
    const subject = await Subject.start(t, open)
    const { store } = subject
    await Promise.all([store.close(), store.close()])
    const select = { tenant: TENANT, devices: ['d'], metrics: [] }
    const range = EVERYTHING
    const isClosed = (error: WeirError): boolean => error.kind === 'closed'
    await assert.rejects(subject.write([point(1, 1)]), isClosed)
    await assert.rejects(store.read({ select, range, limit: 1, order: 'asc' }), isClosed)
    await assert.rejects(
      store.buckets({ select, range, intervalUs: 1, aggregates: ['avg'] }),
      isClosed,
    )
    await assert.rejects(store.downsample({ select, range, maxPoints: 9 }), isClosed)
    await assert.rejects(store.flush(), isClosed)
    await assert.rejects(store.stats(), isClosed)
    await assert.rejects(subject.latest(), isClosed)
    await store.close()
  })
}
