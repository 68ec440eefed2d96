import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAccess } from '../model/access.ts'
import { pointCount } from '../model/batch.ts'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryLog } from '../../test/fixtures/memory-log.ts'
import { testLimits } from '../../test/fixtures/decoded.ts'
import { decodeFrame, encodeFrame } from '../model/frame.ts'
import { SeriesTable } from '../model/series-table.ts'
import { WeirError } from '../ports/errors.ts'
import { IngestGate, type Decode } from './gate.ts'
import { Ledger } from './ledger.ts'
import type { IngestLimits } from './limits.ts'

const NOW_MS = Date.UTC(2026, 10, 20)
const SENDER = openAccess('default')

function setUp(limits: Partial<IngestLimits> = {}, maxAppends?: number) {
  const ledger = new Ledger(0)
  const log = memoryLog(({ batch }) => ledger.handOver(batch.tenant, pointCount(batch)))
  const clock = fakeClock(NOW_MS)
  const gate = new IngestGate({
    ...{ log, ledger, maxAppends },
    ...{ table: new SeriesTable(), clock },
    limits: { ...testLimits, ...limits },
    devices: { admits: () => true, admitsNew: (_tenant, name) => name !== 'stranger' },
  })
  return { gate, log, ledger, clock }
}

/** `count` points of a device, a second apart. */
const points =
  (device: string, count: number): Decode =>
  sink => {
    const entry = sink.device(device)
    if (entry === undefined) return
    for (let i = 0; i < count; i++) {
      sink.message(entry, i * 1e6)
      sink.metric('x', i, '')
    }
  }

/** A promise to be settled from outside. */
function gateway() {
  let open = (): void => {}
  let fail = (_error: Error): void => {}
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { passed, open, fail }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('a request is answered only when the log has its points', async () => {
  const { gate, log, ledger } = setUp()
  const hold = gateway()
  log.before = () => hold.passed
  let answered = false
  const answer = gate.ingest(SENDER, 'http', points('a', 3)).then(outcome => {
    answered = true
    return outcome
  })
  for (let i = 0; i < 5; i++) await turn()
  assert.equal(log.appends, 1)
  assert.equal(answered, false)
  assert.deepEqual(ledger.counts(), { received: 3, rejected: new Map(), pending: 3 })
  hold.open()
  assert.deepEqual(await answer, { accepted: 3, rejected: [] })
  assert.equal(ledger.counts().pending, 0)
})

test('requests of one moment, and those that come during an append, share an append', async () => {
  const { gate, log } = setUp()
  const hold = gateway()
  log.before = () => hold.passed
  const first = ['a', 'b', 'c'].map(device => gate.ingest(SENDER, 'http', points(device, 2)))
  for (let i = 0; i < 3; i++) await turn()
  assert.equal(log.appends, 1)
  const second = ['a', 'd'].map(device => gate.ingest(SENDER, 'mqtt', points(device, 1)))
  log.before = () => Promise.resolve()
  hold.open()
  await Promise.all([...first, ...second])
  assert.equal(log.appends, 2)
  assert.deepEqual(
    log.entries.map(({ batch }) => [batch.devices, batch.timestamps.length]),
    [
      [['a', 'b', 'c'], 6],
      [['a', 'd'], 2],
    ],
  )
})

test('each entry of the log is a frame of its batch', async () => {
  const { gate, log } = setUp()
  await gate.ingest(SENDER, 'http', points('a', 5))
  assert.deepEqual(decodeFrame(log.entries[0].frame), log.entries[0].batch)
})

test('tenants never share a batch', async () => {
  const { gate, log } = setUp()
  await Promise.all(
    ['one', 'two'].map(tenant => gate.ingest(openAccess(tenant), 'http', points('a', 1))),
  )
  assert.deepEqual(log.entries.map(({ batch }) => batch.tenant).sort(), ['one', 'two'])
  for (const { batch } of log.entries) assert.deepEqual(batch.devices, ['a'])
})

test('when the log fails, every request of the append fails with its error and is counted', async () => {
  const { gate, log, ledger } = setUp()
  const full = new WeirError('retryable', 'the disk is full', { code: 'disk_full' })
  log.before = () => Promise.reject(full)
  const answers = await Promise.allSettled([
    gate.ingest(SENDER, 'http', points('a', 2)),
    gate.ingest(SENDER, 'http', points('b', 1)),
  ])
  for (const answer of answers) assert.deepEqual(answer, { status: 'rejected', reason: full })
  assert.deepEqual(ledger.counts(), {
    received: 3,
    rejected: new Map([['unavailable', 3]]),
    pending: 0,
  })
  log.before = () => Promise.resolve()
  assert.equal((await gate.ingest(SENDER, 'http', points('a', 2))).accepted, 2)
  assert.equal(log.entries.length, 1)
})

test('past the bound of pending bytes requests are refused, and taken again when there is room', async () => {
  const { gate, log } = setUp({ maxPendingBytes: 1000 })
  const hold = gateway()
  log.before = () => hold.passed
  const waiting = gate.ingest(SENDER, 'http', points('a', 100))
  await assert.rejects(gate.ingest(SENDER, 'http', points('b', 1)), {
    kind: 'overloaded',
    limit: 'ingest.maxPendingBytes',
    retryAfterMs: 1000,
  })
  await turn()
  await turn()
  // Sealed and being appended: still pending.
  await assert.rejects(gate.ingest(SENDER, 'http', points('b', 1)), { kind: 'overloaded' })
  hold.open()
  await waiting
  assert.equal(gate.pendingBytes, 0)
  await gate.ingest(SENDER, 'http', points('b', 1))
})

test('what was taken back does not count as pending, texts neither', async () => {
  const { gate, log } = setUp({ maxPendingBytes: 10_000 })
  const broken: Decode = sink => {
    const entry = sink.device('d')!
    for (let i = 0; i < 10; i++) {
      sink.message(entry, i * 1e6)
      sink.metric('text', 'x'.repeat(50), '')
      sink.metric('x', i, '')
    }
    throw new SyntaxError('not so')
  }
  for (let i = 0; i < 20; i++) {
    await assert.rejects(gate.ingest(SENDER, 'http', broken), SyntaxError)
    assert.equal(gate.pendingBytes, 0)
  }
  const waiting = gate.ingest(SENDER, 'http', points('d', 100))
  assert.equal(gate.pendingBytes, 2000)
  await waiting
  assert.equal(gate.pendingBytes, 0)
  assert.equal(log.entries.length, 1)
})

test('a tenant that was idle for long is served as one that was not', async () => {
  const { gate, log, clock } = setUp()
  const other = openAccess('other')
  for (let round = 1; round <= 4; round++) {
    const sent = [gate.ingest(SENDER, 'http', points('d', 3))]
    if (round !== 3) sent.push(gate.ingest(other, 'http', points('d', 2)))
    assert.deepEqual(
      (await Promise.all(sent)).map(({ accepted }) => accepted),
      round === 3 ? [3] : [3, 2],
    )
    clock.advance(61_000)
  }
  const sizes = log.entries.map(({ batch }) => `${batch.tenant} ${pointCount(batch)}`)
  assert.deepEqual(sizes, [
    ...['default 3', 'other 2', 'default 3', 'other 2'],
    ...['default 3', 'default 3', 'other 2'],
  ])
})

test('a decoder that throws leaves nothing behind, and its neighbours alone', async () => {
  const { gate, log, ledger } = setUp()
  const broken: Decode = sink => {
    points('new device', 3)(sink)
    throw new SyntaxError('no JSON')
  }
  const answers = await Promise.allSettled([
    gate.ingest(SENDER, 'http', points('a', 1)),
    gate.ingest(SENDER, 'http', broken),
    gate.ingest(SENDER, 'http', points('b', 1)),
  ])
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(log.entries[0].batch.devices, ['a', 'b'])
  assert.deepEqual([...log.entries[0].batch.timestamps], [0, 0])
  assert.deepEqual(ledger.counts().rejected, new Map([['malformed', 1]]))
})

test('a request with nothing good does not touch the log', async () => {
  const { gate, log, ledger } = setUp()
  const { accepted, rejected } = await gate.ingest(SENDER, 'http', points('stranger', 1))
  assert.equal(accepted, 0)
  assert.deepEqual(rejected[0].reason, 'unknown_device')
  assert.equal(log.appends, 0)
  assert.deepEqual(ledger.counts(), {
    received: 1,
    rejected: new Map([['unknown_device', 1]]),
    pending: 0,
  })
})

test('texts and numbers of many requests keep their places in the batch', async () => {
  const { gate, log } = setUp()
  const send = (device: string, value: number | string): Promise<unknown> =>
    gate.ingest(SENDER, 'http', sink => {
      const entry = sink.device(device)
      assert.ok(entry !== undefined)
      sink.message(entry, 5)
      sink.metric('m', value, '')
    })
  await Promise.all([send('a', 1), send('b', 'text'), send('c', 3), send('d', '')])
  const { batch } = log.entries[0]
  assert.deepEqual([...batch.values], [1, NaN, 3, NaN])
  assert.deepEqual([...(batch.texts ?? [])], [undefined, 'text', undefined, ''])
  assert.deepEqual(decodeFrame(log.entries[0].frame).texts, [undefined, 'text', undefined, ''])
})

test('close waits for what was admitted, and refuses what comes after', async () => {
  const { gate, log } = setUp()
  const hold = gateway()
  log.before = () => hold.passed
  const last = gate.ingest(SENDER, 'http', points('a', 1))
  let closed = false
  const closing = gate.close().then(() => (closed = true))
  await assert.rejects(gate.ingest(SENDER, 'http', points('a', 1)), { kind: 'closed' })
  for (let i = 0; i < 3; i++) await turn()
  assert.equal(closed, false)
  hold.open()
  await closing
  assert.deepEqual(await last, { accepted: 1, rejected: [] })
})

const frameBatch = {
  tenant: 'default',
  devices: ['a'],
  metrics: ['x', 'note'],
  seriesDevice: Uint32Array.of(0, 0),
  seriesMetric: Uint32Array.of(0, 1),
  seriesIndex: Uint32Array.of(0, 0, 1),
  timestamps: Float64Array.of(1, 2, 3),
  values: Float64Array.of(1.5, -0, NaN),
  texts: [undefined, undefined, 'fine'],
}

test('a good frame goes to the log as it is', async () => {
  const { gate, log } = setUp()
  const frame = encodeFrame(frameBatch)
  assert.deepEqual(await gate.ingestFrame(SENDER, 'http', frame), { accepted: 3, rejected: [] })
  assert.deepEqual(Buffer.from(log.entries[0].frame), Buffer.from(frame))
})

test('a frame that names another tenant is stored as its sender', async () => {
  const { gate, log } = setUp()
  await gate.ingestFrame(
    openAccess('mine'),
    'http',
    encodeFrame({ ...frameBatch, tenant: 'theirs' }),
  )
  assert.equal(log.entries[0].batch.tenant, 'mine')
  assert.equal(decodeFrame(log.entries[0].frame).tenant, 'mine')
})

test('each thing that can be wrong with a frame is named, and nothing of it is kept', async () => {
  const future = (NOW_MS + testLimits.maxFutureMs + 1) * 1000
  const cases: [Partial<typeof frameBatch>, string, string, number][] = [
    [{ timestamps: Float64Array.of(1, -1, 3) }, 'timestamps', 'invalid_time', 1],
    [{ timestamps: Float64Array.of(1, 2, NaN) }, 'timestamps', 'invalid_time', 2],
    [{ timestamps: Float64Array.of(1, 2.5, 3) }, 'timestamps', 'invalid_time', 1],
    [{ timestamps: Float64Array.of(future, 2, 3) }, 'timestamps', 'future_time', 0],
    [{ timestamps: Float64Array.of(Infinity, 2, 3) }, 'timestamps', 'future_time', 0],
    [{ values: Float64Array.of(NaN, 0, NaN) }, 'values', 'invalid_value', 0],
    [{ values: Float64Array.of(1, Infinity, NaN) }, 'values', 'invalid_value', 1],
    [{ values: Float64Array.of(1, 0, 7) }, 'values', 'invalid_value', 2],
    [{ texts: [undefined, undefined, 'x'.repeat(101)] }, 'texts', 'too_long', 2],
    [{ devices: ['a/b'] }, 'devices', 'invalid_name', 0],
    [{ devices: ['stranger'] }, 'devices', 'unknown_device', 0],
    [{ metrics: ['x', ''] }, 'metrics', 'invalid_name', 1],
    [{ seriesMetric: Uint32Array.of(0, 0) }, 'series', 'malformed', 0],
  ]
  for (const [change, field, reason, index] of cases) {
    const { gate, log, ledger } = setUp()
    const frame = encodeFrame({ ...frameBatch, ...change })
    const { accepted, rejected } = await gate.ingestFrame(SENDER, 'http', frame)
    assert.equal(accepted, 0)
    assert.deepEqual(
      rejected.map(one => [one.field, one.reason, one.index, one.points]),
      [[field, reason, index, 3]],
    )
    assert.equal(log.appends, 0)
    assert.equal(ledger.counts().received, 3)
  }
})

test('bytes that are no frame are refused as one malformed item', async () => {
  const { gate, ledger } = setUp()
  const { accepted, rejected } = await gate.ingestFrame(SENDER, 'http', Buffer.from('hello'))
  assert.equal(accepted, 0)
  assert.match(rejected[0].detail, /fewer than a header/)
  assert.deepEqual(ledger.counts().rejected, new Map([['malformed', 1]]))
})

test('a frame without points is accepted as nothing', async () => {
  const { gate, log } = setUp()
  const none = new Uint32Array(0)
  const empty = {
    ...{ tenant: 'default', devices: [], metrics: [] },
    ...{ seriesDevice: none, seriesMetric: none, seriesIndex: none },
    ...{ timestamps: new Float64Array(0), values: new Float64Array(0) },
  }
  const outcome = await gate.ingestFrame(SENDER, 'http', encodeFrame(empty))
  assert.deepEqual(outcome, { accepted: 0, rejected: [] })
  assert.equal(log.appends, 0)
})

test('with appends of its own every request is one, a bounded number of them at once, in order', async () => {
  const { gate, log, ledger } = setUp({}, 2)
  const holds = [gateway(), gateway(), gateway(), gateway()]
  log.before = () => holds[log.appends - 1].passed
  const answers = ['a', 'b', 'c', 'd'].map(device => gate.ingest(SENDER, 'http', points(device, 1)))
  await turn()
  assert.equal(log.appends, 2)
  assert.ok(gate.pendingBytes > 0)
  holds[1].open()
  await answers[1]
  await turn()
  assert.equal(log.appends, 3)
  const away = new WeirError('retryable', 'the database is away')
  holds[2].fail(away)
  await assert.rejects(answers[2], away)
  let closed = false
  const closing = gate.close().then(() => (closed = true))
  await turn()
  assert.equal(closed, false)
  for (const { open } of holds) open()
  await Promise.all([answers[0], answers[3], closing])
  const stored = log.entries.map(({ batch }) => batch.devices.join())
  assert.deepEqual(stored.toSorted(), ['a', 'b', 'd'])
  assert.equal(gate.pendingBytes, 0)
  assert.deepEqual(ledger.counts().rejected, new Map([['unavailable', 1]]))
  assert.equal(ledger.counts().pending, 0)
})

test('what waits for an append of its own is bounded too', async () => {
  const { gate, log } = setUp({ maxPendingBytes: 1000 }, 1)
  const hold = gateway()
  log.before = () => hold.passed
  const waiting = [points('a', 40), points('b', 40)].map(some => gate.ingest(SENDER, 'mqtt', some))
  await assert.rejects(gate.ingest(SENDER, 'http', points('c', 1)), {
    kind: 'overloaded',
    limit: 'ingest.maxPendingBytes',
  })
  hold.open()
  await Promise.all(waiting)
  await gate.ingest(SENDER, 'http', points('c', 1))
})
