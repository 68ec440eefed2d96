import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WeirError } from '../ports/errors.ts'
import type { SeriesPoints, TimeRange } from '../ports/store.ts'
import { EVERYTHING, rowsOf, Subject, TENANT } from './store-subject.ts'
import type { OpenStore } from './store-subject.ts'
import type { TestPoint } from './test-log.ts'

/** The part of the contract that is about scans; run by `storeContract`. */

const rise = (name: string, count: number, stepUs: number): TestPoint[] => {
  const [device, metric] = name.split('/')
  return Array.from({ length: count }, (_, i) => ({ device, metric, time: i * stepUs, value: i }))
}

/** The rows of each series, and the series in the order in which they first came. */
async function scanned(
  chunks: AsyncIterable<readonly SeriesPoints[]>,
): Promise<Map<string, unknown[]>> {
  const found = new Map<string, unknown[]>()
  let last = ''
  for await (const chunk of chunks) {
    for (const points of chunk) {
      const name = `${points.device}/${points.metric}`
      assert.ok(name === last || !found.has(name), `${name} came back after another series`)
      last = name
      found.set(name, [...(found.get(name) ?? []), ...rowsOf(points)])
    }
  }
  return found
}

export function storeScanContract(open: OpenStore): void {
  const scan = (subject: Subject, devices: string[], range: TimeRange = EVERYTHING) =>
    subject.store.scan({ select: { tenant: TENANT, devices, metrics: [] }, range })

  test('a scan gives every point of the selection once, in head and blocks', async t => {
    const subject = await Subject.start(t, open)
    await subject.write(rise('d/m', 70_000, 1_000_000))
    await subject.write([...rise('d/n', 10, 7), ...rise('e/m', 900, 3)])
    await subject.store.flush()
    await subject.write([
      ...rise('d/m', 5, 500_000),
      { device: 'e', metric: 's', time: 3, text: 'on' },
    ])
    await subject.write([{ device: 'e', metric: 'm', time: 2, value: -0 }], 'other')
    const found = await scanned(scan(subject, ['e', 'nobody', 'd', 'e']))
    assert.deepEqual([...found.keys()], ['e/m', 'e/s', 'd/m', 'd/n'])
    for (const [name, rows] of found) {
      const [device, metric] = name.split('/')
      assert.deepEqual(rows, await subject.rows(device, metric), name)
    }
  })

  test('a scan keeps to its range and its metrics', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([...rise('d/m', 10, 10), ...rise('d/n', 10, 10)])
    const select = { tenant: TENANT, devices: ['d'], metrics: ['n', 'x', 'n'] }
    const found = await scanned(subject.store.scan({ select, range: { start: 20, end: 40 } }))
    assert.deepEqual(
      [...found],
      [
        [
          'd/n',
          [
            [20, 2],
            [30, 3],
          ],
        ],
      ],
    )
    assert.equal((await scanned(scan(subject, ['d'], { start: 91, end: 99 }))).size, 0)
    assert.equal((await scanned(scan(subject, []))).size, 0)
  })

  test('long texts come in chunks of bounded size', async t => {
    const subject = await Subject.start(t, open)
    const texts = Array.from({ length: 400 }, (_, i) => `${i}`.padEnd(30_000, 'x'))
    for (let at = 0; at < texts.length; at += 50) {
      const part = texts.slice(at, at + 50)
      await subject.write(part.map((text, i) => ({ device: 'd', metric: 's', time: at + i, text })))
    }
    let chunks = 0
    const rows: unknown[] = []
    for await (const chunk of scan(subject, ['d'])) {
      chunks++
      rows.push(...chunk.flatMap(rowsOf))
    }
    assert.deepEqual(
      rows,
      texts.map((text, i) => [i, text]),
    )
    assert.ok(chunks > 1, `${chunks} chunk`)
  })

  test('what is written while a scan goes on disturbs no point that was there', async t => {
    const subject = await Subject.start(t, open)
    await subject.write([...rise('d/m', 66_000, 10), ...rise('e/m', 900, 10)])
    const found = new Map<string, unknown[]>()
    for await (const chunk of scan(subject, ['d', 'e'])) {
      for (const points of chunk) {
        const name = `${points.device}/${points.metric}`
        found.set(name, [...(found.get(name) ?? []), ...rowsOf(points)])
      }
      // Series of a device that the scan has passed, or is at: places move behind its back.
      await subject.write([{ device: 'd', metric: `new-${found.size}`, time: 1, value: 1 }])
      await subject.store.flush()
    }
    const times = (name: string) => (found.get(name) as [number][]).map(([time]) => time)
    assert.deepEqual(
      times('d/m'),
      rise('d/m', 66_000, 10).map(({ time }) => time),
    )
    assert.deepEqual(
      times('e/m'),
      rise('e/m', 900, 10).map(({ time }) => time),
    )
  })

  test('a scan can be left at any time, and fails once the store is closed', async t => {
    const subject = await Subject.start(t, open)
    await subject.write(rise('d/m', 66_000, 10))
    for await (const chunk of scan(subject, ['d'])) {
      assert.ok(chunk.length > 0)
      break
    }
    const left = scan(subject, ['d'])[Symbol.asyncIterator]()
    await left.next()
    await subject.store.close()
    const isClosed = (error: WeirError): boolean => error.kind === 'closed'
    await assert.rejects(scanned(scan(subject, ['d'])), isClosed)
    await left.return?.()
  })
}
