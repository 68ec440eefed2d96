import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WeirError } from '../ports/errors.ts'
import type { Aggregate } from '../ports/store.ts'
import { Oracle } from './oracle.ts'
import {
  checkBuckets,
  checkCounts,
  checkDownsample,
  checkRaw,
  checkSettled,
} from './oracle-checks.ts'
import { rowsOf, Subject, TENANT } from './store-subject.ts'
import type { OpenStore } from './store-subject.ts'
import { batchOf, Random, testSeed } from './test-log.ts'
import type { TestPoint } from './test-log.ts'

/** The part of the contract that is about reading; run by `storeContract`. */

const DAY_US = 86_400_000_000

function series(name: string, count: number, stepUs: number): TestPoint[] {
  const [device, metric] = name.split('/')
  return Array.from({ length: count }, (_, i) => ({ device, metric, time: i * stepUs, value: i }))
}

export function storeReadContract(open: OpenStore): void {
  raw(open)
  buckets(open)
  samples(open)
  bounds(open)
  randomly(open)
}

function raw(open: OpenStore): void {
  test('a range holds its start and not its end', async t => {
    const subject = await Subject.start(t, open)
    await subject.write(series('d/m', 10, 10))
    for (const flushed of [false, true]) {
      if (flushed) await subject.store.flush()
      const select = { tenant: TENANT, devices: ['d'], metrics: ['m'] }
      const range = { start: 20, end: 50 }
      const [found] = await subject.store.read({ select, range, limit: 100, order: 'asc' })
      assert.deepEqual(rowsOf(found), [
        [20, 2],
        [30, 3],
        [40, 4],
      ])
      const empty = { start: 21, end: 30 }
      assert.deepEqual(
        await subject.store.read({ select, range: empty, limit: 9, order: 'asc' }),
        [],
      )
    }
  })

  test('the limit is for each series, from the end that the order says', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([...series('d/m', 3000, 100_000_000), ...series('e/m', 2, 5)])
    await subject.store.flush()
    await subject.write([{ device: 'd', metric: 'm', time: 1, value: -1 }])
    const select = { tenant: TENANT, devices: ['e', 'd'], metrics: [] }
    const range = { start: 0, end: 2 ** 53 }
    const find = async (limit: number, order: 'asc' | 'desc') => {
      const found = await subject.store.read({ select, range, limit, order })
      return Object.fromEntries(found.map(one => [one.device, rowsOf(one)]))
    }
    assert.deepEqual(await find(3, 'asc'), {
      d: [
        [0, 0],
        [1, -1],
        [100_000_000, 1],
      ],
      e: [
        [0, 0],
        [5, 1],
      ],
    })
    assert.deepEqual(await find(2, 'desc'), {
      d: [
        [299_900_000_000, 2999],
        [299_800_000_000, 2998],
      ],
      e: [
        [5, 1],
        [0, 0],
      ],
    })
  })

  test('a selector takes each series once, and unknown names select nothing', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([...series('d/m', 2, 1), ...series('d/n', 2, 1), ...series('e/m', 2, 1)])
    const names = async (devices: string[], metrics: string[], end = 100): Promise<string[]> => {
      const select = { tenant: TENANT, devices, metrics }
      const range = { start: 0, end }
      const found = await subject.store.read({ select, range, limit: 9, order: 'asc' })
      return found.map(({ device, metric }) => `${device}/${metric}`).sort()
    }
    assert.deepEqual(await names(['d'], []), ['d/m', 'd/n'])
    assert.deepEqual(await names(['d', 'e', 'd'], ['m', 'm']), ['d/m', 'e/m'])
    assert.deepEqual(await names(['x', 'e'], ['n', 'm', 'y']), ['e/m'])
    assert.deepEqual(await names([], []), [])
    // What has no points in the range is left out.
    assert.deepEqual(await names(['d', 'e'], [], 0), [])
    const select = { tenant: 'nobody', devices: ['d'], metrics: [] }
    const range = { start: 0, end: 100 }
    assert.deepEqual(await subject.store.read({ select, range, limit: 9, order: 'asc' }), [])
  })

  test('a thousand devices answer in one call', async t => {
    const subject = await Subject.start(t, open)
    const devices = Array.from({ length: 1000 }, (_, i) => `device ${i}`)
    const points = devices.flatMap((device, i) => [
      { device, metric: 'a', time: 10, value: i },
      { device, metric: 'b', time: 20, value: -1 - i },
    ])
    await subject.write(points)
    await subject.store.flush()
    const select = { tenant: TENANT, devices, metrics: ['b', 'a'] }
    const range = { start: 0, end: 100 }
    const found = await subject.store.read({ select, range, limit: 1, order: 'asc' })
    assert.equal(found.length, 2000)
    for (const { device, metric, values } of found) {
      const i = Number(device.slice(7))
      assert.equal(values[0], metric === 'a' ? i : -1 - i)
    }
  })
}

function buckets(open: OpenStore): void {
  test('buckets are aligned to their interval and count only what is in the range', async t => {
    const subject = await Subject.start(t, open)
    await subject.write(series('d/m', 100, 10))
    const select = { tenant: TENANT, devices: ['d'], metrics: ['m'] }
    const aggregates: Aggregate[] = ['count', 'sum', 'avg', 'min', 'max', 'first', 'last', 'p50']
    for (const flushed of [false, true]) {
      if (flushed) await subject.store.flush()
      const range = { start: 150, end: 420 }
      const [found] = await subject.store.buckets({ select, range, intervalUs: 200, aggregates })
      assert.deepEqual([...found.timestamps], [0, 200, 400])
      assert.deepEqual(
        found.columns.map(column => [...column]),
        [
          [5, 20, 2],
          [85, 590, 81],
          [17, 29.5, 40.5],
          [15, 20, 40],
          [19, 39, 41],
          [15, 20, 40],
          [19, 39, 41],
          [17, 29, 40],
        ],
      )
    }
  })

  test('texts are in no bucket, and a series of texts has none', async t => {
    const subject = await Subject.start(t, open)
    const at = (time: number, value: number | string): TestPoint =>
      typeof value === 'string'
        ? { device: 'd', metric: 'm', time, text: value }
        : { device: 'd', metric: 'm', time, value }
    await subject.write([at(1, 'a'), at(2, 5), at(3, 'b'), at(4, 7), at(105, 'c')])
    await subject.write([{ device: 'd', metric: 's', time: 1, text: 'on' }])
    const select = { tenant: TENANT, devices: ['d'], metrics: [] }
    const aggregates: Aggregate[] = ['count', 'first', 'last', 'avg', 'p100']
    for (const flushed of [false, true]) {
      if (flushed) await subject.store.flush()
      const range = { start: 0, end: 1000 }
      const found = await subject.store.buckets({ select, range, intervalUs: 100, aggregates })
      assert.equal(found.length, 1)
      assert.deepEqual([...found[0].timestamps], [0])
      assert.deepEqual(
        found[0].columns.map(column => [...column]),
        [[2], [5], [7], [6], [7]],
      )
    }
  })

  test('percentiles are exact, by nearest rank', async t => {
    const subject = await Subject.start(t, open)
    // The five values of the textbook: 15, 20, 35, 40, 50, in another order.
    const values = [35, 50, 15, 40, 20]
    await subject.write(values.map((value, i) => ({ device: 'd', metric: 'm', time: i, value })))
    const select = { tenant: TENANT, devices: ['d'], metrics: ['m'] }
    const aggregates: Aggregate[] = ['p0', 'p5', 'p30', 'p40', 'p50', 'p100', 'p99.9']
    const range = { start: 0, end: 10 }
    const [found] = await subject.store.buckets({ select, range, intervalUs: 10, aggregates })
    assert.deepEqual(
      found.columns.map(([value]) => value),
      [15, 15, 20, 20, 35, 50, 50],
    )
  })

  test('a percentile that is a whole rank is that one', async t => {
    const subject = await Subject.start(t, open)
    await subject.write(series('few/m', 100, 1))
    await subject.write(series('many/m', 1000, 1))
    const aggregates: Aggregate[] = ['p0', 'p7', 'p28', 'p99.9', 'p100']
    const answers = async (device: string): Promise<number[]> => {
      const select = { tenant: TENANT, devices: [device], metrics: [] }
      const range = { start: 0, end: 1000 }
      const [found] = await subject.store.buckets({ select, range, intervalUs: 1000, aggregates })
      return found.columns.map(([value]) => value)
    }
    // The values are 0, 1, 2 …: rank 7 is 6.
    assert.deepEqual(await answers('few'), [0, 6, 27, 99, 99])
    assert.deepEqual(await answers('many'), [0, 69, 279, 998, 999])
  })

  test('wide buckets over many days agree with narrow ones', async t => {
    const subject = await Subject.start(t, open)
    await subject.write(series('d/m', 5000, DAY_US / 500))
    await subject.store.flush()
    // One late point in the middle of what may be summarised already.
    await subject.write([{ device: 'd', metric: 'm', time: 4 * DAY_US + 1, value: 1e6 }])
    const select = { tenant: TENANT, devices: ['d'], metrics: ['m'] }
    const range = { start: 0, end: 10 * DAY_US }
    const aggregates: Aggregate[] = ['count', 'max', 'sum']
    const [wide] = await subject.store.buckets({
      select,
      range,
      intervalUs: 10 * DAY_US,
      aggregates,
    })
    assert.deepEqual(
      wide.columns.map(([value]) => value),
      [5001, 1e6, 12_497_500 + 1e6],
    )
    const [days] = await subject.store.buckets({ select, range, intervalUs: DAY_US, aggregates })
    assert.deepEqual([...days.columns[0]], [500, 500, 500, 500, 501, 500, 500, 500, 500, 500])
    assert.equal(days.columns[2][0], 124_750)
  })

  test('impossible intervals and unknown aggregates are refused as such', async t => {
    const { store } = await Subject.start(t, open)
    const select = { tenant: TENANT, devices: ['d'], metrics: ['m'] }
    const range = { start: 0, end: 10 }
    const isRejected = (error: WeirError): boolean => error.kind === 'rejected'
    for (const intervalUs of [0, -5, 0.5, NaN, Infinity]) {
      const read = store.buckets({ select, range, intervalUs, aggregates: ['avg'] })
      await assert.rejects(read, isRejected)
    }
    for (const name of ['median', 'p101', 'p-1', 'p']) {
      const aggregates = [name as Aggregate]
      await assert.rejects(store.buckets({ select, range, intervalUs: 5, aggregates }), isRejected)
    }
  })
}

function samples(open: OpenStore): void {
  test('downsampling keeps the ends and the spikes', async t => {
    const subject = await Subject.start(t, open)
    const points = series('d/m', 2000, 1_000_000).map(point => ({ ...point, value: 0 }))
    points[777].value = 100
    points[1500].value = -100
    await subject.write(points)
    await subject.store.flush()
    const select = { tenant: TENANT, devices: ['d', 'e'], metrics: [] }
    const range = { start: 0, end: 2 ** 53 }
    const found = await subject.store.downsample({ select, range, maxPoints: 50 })
    assert.equal(found.length, 1)
    const { timestamps, values } = found[0]
    assert.equal(timestamps.length, 50)
    assert.equal(timestamps[0], 0)
    assert.equal(timestamps[49], 1_999_000_000)
    assert.equal(values[timestamps.indexOf(777_000_000)], 100)
    assert.equal(values[timestamps.indexOf(1_500_000_000)], -100)
  })
}

function bounds(open: OpenStore): void {
  test('an answer that would hold more than its bound is refused with the limit', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([...series('d/m', 3000, 1000), ...series('e/m', 1000, 1000)])
    const select = { tenant: TENANT, devices: ['d', 'e'], metrics: [] }
    const range = { start: 0, end: 2 ** 53 }
    const { store } = subject
    const reads = {
      raw: (most: number, limit: number) =>
        store.read({ select, range, limit, order: 'asc', bound: { most, limit: 'a.limit' } }),
      buckets: (most: number, intervalUs: number) => {
        const bound = { most, limit: 'a.limit' }
        return store.buckets({ select, range, intervalUs, aggregates: ['count'], bound })
      },
      samples: (most: number, maxPoints: number) =>
        store.downsample({ select, range, maxPoints, bound: { most, limit: 'a.limit' } }),
    }
    const isRefused = ({ kind, limit }: WeirError): boolean =>
      kind === 'rejected' && limit === 'a.limit'
    for (const flushed of [false, true]) {
      if (flushed) await store.flush()
      for (const [read, asked, fits] of [
        [reads.raw, 1e6, 4000],
        [reads.raw, 10, 20],
        [reads.raw, 1, 2],
        [reads.buckets, 1, 4000],
        [reads.buckets, 100_000, 40],
        [reads.samples, 50, 100],
      ] as const) {
        const found = await read(fits, asked)
        assert.deepEqual(found.map(({ device }) => device).sort(), ['d', 'e'])
        await assert.rejects(read(fits - 1, asked), isRefused)
        await assert.rejects(read(1, asked), isRefused)
      }
    }
  })
}

function randomly(open: OpenStore): void {
  const seed = testSeed()
  test(`it agrees with the oracle on disorder and repetition, WEIR_SEED=${seed}`, async t => {
    const random = new Random(seed)
    const subject = await Subject.start(t, open)
    const oracle = new Oracle()
    const devices = ['d0', 'd1', 'd2']
    const time = (): number => random.between(0, 400) * random.pick([1000, DAY_US / 300])
    for (let round = 0; round < 8; round++) {
      const points = Array.from({ length: random.between(1, 300) }, (): TestPoint => {
        const names = { device: random.pick(devices), metric: random.pick(['m', 'n']) }
        if (random.chance(0.1)) return { ...names, time: time(), text: `t${random.between(0, 9)}` }
        return { ...names, time: time(), value: random.between(-500, 500) / 4 }
      })
      const batch = batchOf(TENANT, points)
      oracle.write(batch)
      await subject.store.write([subject.log.append(batch)])
      const checked = { store: subject.store, oracle }
      await checkCounts(checked)
      if (random.chance(0.5)) {
        await subject.store.flush()
        await checkSettled(checked)
      }
      const start = time()
      const select = { tenant: TENANT, devices, metrics: [] }
      const range = { select, start, end: start + time() }
      const order = random.pick(['asc', 'desc'] as const)
      await checkRaw(checked, range, { limit: random.pick([1, 20, 1e6]), order })
      const aggregates: Aggregate[] = ['count', 'min', 'max', 'first', 'last', 'sum', 'avg', 'p90']
      const intervalUs = random.pick([7001, 999_999_937, DAY_US])
      await checkBuckets(checked, range, { intervalUs, aggregates })
      await checkDownsample(checked, range, random.between(2, 40))
    }
  })
}
