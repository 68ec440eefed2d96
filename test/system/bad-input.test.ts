import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { connectAsync } from 'mqtt'
import { ClientLedger } from '../fixtures/client-ledger.ts'
import { frameOf } from '../fixtures/fleet-doors.ts'
import { readPoints, readRows } from '../fixtures/read-back.ts'
import { asArray, sendOverHttp, sendOverMqtt } from '../fixtures/sending-clients.ts'
import { until } from '../fixtures/until.ts'
import {
  ledgerOf,
  settledLedger,
  weirClient,
  type WeirAnswer,
  type WeirClient,
} from '../fixtures/weir-client.ts'
import { startWeir, type Lifetime, type WeirProcess } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }
/** The ledger settles when points are flushed. */
const FLUSHES = ['--store.flushIntervalMs=100ms']
const START_US = (Date.now() - 3600e3) * 1000

/** Well-behaved clients beside the bad ones: they must not notice anything. */
function goodClients(lifetime: Lifetime, weir: WeirProcess) {
  const ledger = new ClientLedger()
  const next = (device: string) => {
    let count = 0
    return () => {
      const timeUs = START_US + count++ * 1000
      return { device, points: [{ device, metric: 'm', timeUs, value: count }] }
    }
  }
  const clients = [
    sendOverHttp(weir.url, asArray, { lifetime, ledger, next: next('good-http') }),
    sendOverMqtt(weir.mqttUrl, { lifetime, ledger, next: next('good-mqtt'), inFlight: 1 }),
  ]
  return {
    /** Fails when they have seen an error, lost a point or a connection. */
    async finish(client: WeirClient): Promise<void> {
      const before = ledger.sureKeys
      await until('that they still send', () => ledger.sureKeys > before + 2)
      await Promise.all(clients.map(each => each.finish()))
      for (const { refusals, breaks } of clients) {
        assert.deepEqual(refusals, [])
        assert.equal(breaks(), 0, 'no connection of a well-behaved client broke')
      }
      ledger.mustHold(await readPoints(client, ['good-http', 'good-mqtt']))
      await settledLedger(client)
    },
  }
}

interface BadItem {
  /** JSON of one message, or of what is to be one. */
  readonly item: string
  readonly field: string
  readonly detail: RegExp
}

const message = (rest: string): string => `{"device_id":"bad",${rest}}`
const value = (json: string): string => message(`"data":{"x":${json}}`)
const at = (json: string): string => message(`"timestamp":${json},"data":{"x":1}`)

const BAD_ITEMS: readonly BadItem[] = [
  { item: '7', field: '', detail: /must be an object/ },
  { item: 'null', field: '', detail: /must be an object/ },
  { item: '[[]]', field: '', detail: /must be an object/ },
  { item: '{}', field: 'device_id', detail: /missing/ },
  { item: '{"device_id":5,"data":{"x":1}}', field: 'device_id', detail: /string/ },
  { item: '{"device_id":"","data":{"x":1}}', field: 'device_id', detail: /empty/ },
  { item: '{"device_id":"a/b","data":{"x":1}}', field: 'device_id', detail: /"\/"/ },
  { item: '{"device_id":"a\\u0000b","data":{"x":1}}', field: 'device_id', detail: /control/ },
  { item: '{"device_id":"\\ud83d","data":{"x":1}}', field: 'device_id', detail: /surrogate/ },
  {
    item: `{"device_id":"${'x'.repeat(300)}","data":{"x":1}}`,
    field: 'device_id',
    detail: /256/,
  },
  { item: message('"x":1'), field: 'data', detail: /missing/ },
  { item: message('"data":[1]'), field: 'data', detail: /object/ },
  { item: message('"data":{}'), field: 'data', detail: /no metrics/ },
  { item: value('null'), field: 'data.x', detail: /null/ },
  { item: value('[1,2]'), field: 'data.x', detail: /array/ },
  { item: value('{}'), field: 'data.x', detail: /empty/ },
  { item: value('1e309'), field: 'data.x', detail: /float64/ },
  { item: value('-1e309'), field: 'data.x', detail: /float64/ },
  { item: value('9007199254740993'), field: 'data.x', detail: /9007199254740993/ },
  { item: value('"\\udc00"'), field: 'data.x', detail: /surrogate/ },
  { item: value(`"${'t'.repeat(70_000)}"`), field: 'data.x', detail: /ingest\.maxTextBytes/ },
  {
    item: value(`${'{"x":'.repeat(20)}1${'}'.repeat(20)}`),
    field: 'data.x',
    detail: /ingest\.maxDepth/,
  },
  { item: message('"data":{"":1}'), field: 'data.', detail: /empty/ },
  { item: message('"data":{"a\\u0000":1}'), field: 'data.a\0', detail: /control/ },
  { item: at('-1'), field: 'timestamp', detail: /time/ },
  { item: at('true'), field: 'timestamp', detail: /time/ },
  { item: at('"yesterday"'), field: 'timestamp', detail: /ISO 8601/ },
  { item: at('"2026-02-30T00:00:00Z"'), field: 'timestamp', detail: /ISO 8601/ },
  { item: at('"1969-12-31T23:59:59Z"'), field: 'timestamp', detail: /ISO 8601/ },
  { item: at('"2199-01-01T00:00:00Z"'), field: 'timestamp', detail: /ingest\.maxFutureMs/ },
  // Microseconds that somebody multiplied by a thousand too often, and milliseconds taken for µs.
  { item: at('1e300'), field: 'timestamp', detail: /ingest\.maxFutureMs/ },
  { item: at(String(Date.now() * 10)), field: 'timestamp', detail: /ingest\.maxFutureMs/ },
]

interface Outcome {
  readonly accepted: number
  readonly rejected: readonly { index: number; field: string; detail: string }[]
}

test(
  'each bad item is named with its field, and the good items around it are kept',
  LIMIT,
  async t => {
    const weir = await startWeir(t, { args: FLUSHES })
    const client = await weirClient(weir.url)
    const good = goodClients(t, weir)
    const ledger = new ClientLedger()
    let count = 0
    const goodItem = (): string => {
      const timeUs = START_US + count++ * 1e6
      ledger.send([{ device: 'kept', metric: 'n', timeUs, value: count }]).acknowledged()
      return JSON.stringify({ device_id: 'kept', timestamp: timeUs, data: { n: count } })
    }
    for (const { item, field, detail } of BAD_ITEMS) {
      const items = [goodItem(), goodItem(), item, goodItem()]
      const shown = item.slice(0, 100)
      const bodies = [
        { body: `[${items.join(',')}]`, type: 'application/json' },
        { body: `${items.join('\n')}\n`, type: 'application/x-ndjson' },
      ]
      for (const { body, type } of bodies) {
        const answer = await client.post('/api/v1/telemetry', body, { 'content-type': type })
        assert.equal(answer.status, 200, `${shown}: ${answer.text}`)
        const { accepted, rejected } = answer.json as Outcome
        assert.equal(accepted, 3, shown)
        assert.ok(rejected.length >= 1, shown)
        for (const { index } of rejected) assert.equal(index, 2, `${shown} ${answer.text}`)
        const named = rejected.find(each => detail.test(each.detail))
        assert.ok(named !== undefined, `${shown}: ${answer.text}`)
        assert.ok(
          named.field === field || named.field.startsWith(`${field}.`),
          `${shown}: ${named.field}`,
        )
      }
      // Alone it is an error altogether.
      const alone = await client.post(
        '/api/v1/telemetry',
        item.startsWith('[') ? `[${item}]` : item,
      )
      assert.equal(alone.status, 400, `${shown}: ${alone.text}`)
      const problems = (alone.json as { errors: Outcome['rejected'] }).errors
      assert.ok(
        problems.some(each => detail.test(each.detail)),
        `${shown}: ${alone.text}`,
      )
    }
    ledger.mustHold(await readPoints(client, ['kept']))
    assert.deepEqual(await readPoints(client, ['bad']), [])
    await good.finish(client)
  },
)

test('one bad item of a thousand is the only one that is refused', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const items = Array.from({ length: 1000 }, (_, i) => ({
    device_id: `d${i % 7}`,
    timestamp: 1_700_000_000 + i,
    data: { n: i === 617 ? [i] : i },
  }))
  const lines = items.map(item => JSON.stringify(item))
  for (const [body, type] of [
    [`[${lines.join(',')}]`, 'application/json'],
    [lines.join('\n'), 'application/x-ndjson'],
  ]) {
    const answer = await client.post('/api/v1/telemetry', body, { 'content-type': type })
    assert.equal(answer.status, 200)
    const { accepted, rejected } = answer.json as Outcome
    assert.equal(accepted, 999)
    assert.deepEqual(
      rejected.map(({ index, field }) => [index, field]),
      [[617, 'data.n']],
    )
  }
  const rows = items.map(({ timestamp, data }) => ({ timestamp, ...data }))
  const batch = await client.post('/api/v1/telemetry/batch', { device_id: 'rows', data: rows })
  assert.equal((batch.json as Outcome).accepted, 999)
  const [{ index }] = (batch.json as Outcome).rejected
  assert.equal(index, 617)
  const timestamps = items.map(({ timestamp }) => timestamp)
  const metrics = { n: items.map(({ data }) => data.n) }
  const columns = await client.post('/api/v1/telemetry/batch', {
    device_id: 'columns',
    timestamps,
    metrics,
  })
  assert.equal((columns.json as Outcome).accepted, 999)
  assert.equal((columns.json as Outcome).rejected[0].index, 617)
  for (const device of ['rows', 'columns'])
    assert.equal((await readRows(client, device)).length, 999)
  const ledger = await settledLedger(client)
  assert.deepEqual([ledger.stored, ledger.duplicate, ledger.rejected], [3 * 999, 999, 4])
})

test('odd names and values are stored exactly', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const body =
    '{"device_id":"__proto__","timestamp":1700000000,"data":{"__proto__":1,"constructor":2,' +
    '"toString":{"__proto__":3},"ü 🚰":"\\u0000\\n\\ud83d\\ude00","max":1.7976931348623157e308,' +
    '"min":5e-324,"safe":9007199254740992,"zero":-0,"yes":true,"no":false,"empty":""}}'
  const answer = await client.post('/api/v1/telemetry', body)
  assert.deepEqual(answer.json, { accepted: 11, rejected: [] })
  const expected = new Map<string, number | string>([
    ['__proto__', 1],
    ['constructor', 2],
    ['toString.__proto__', 3],
    ['ü 🚰', '\0\n😀'],
    ['max', Number.MAX_VALUE],
    ['min', Number.MIN_VALUE],
    ['safe', 2 ** 53],
    ['zero', -0],
    ['yes', 1],
    ['no', 0],
    ['empty', ''],
  ])
  const check = async (): Promise<void> => {
    const rows = await client.read('/api/v1/telemetry/__proto__')
    const { timestamp, ...row } = rows.data[0] as Record<string, unknown>
    assert.equal(timestamp, '2023-11-14T22:13:20.000Z')
    assert.deepEqual(new Map(Object.entries(row)), expected)
    const latest = await client.read('/api/v1/telemetry/latest?device_id=__proto__')
    const points = latest.data as { metric: string; value: unknown }[]
    assert.deepEqual(new Map(points.map(point => [point.metric, point.value])).get('__proto__'), 1)
    assert.equal(points.length, expected.size)
  }
  await check()
  await weir.stop()
  await weir.start()
  await check()
  // Nothing was inherited by anybody.
  const other = await client.post(
    '/api/v1/telemetry',
    '{"__proto__":{"device_id":"x","data":{"y":1}}}',
  )
  assert.equal(other.status, 400)
})

test('one point far ahead of the clock does not hide latest', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const mqtt = await connectAsync(weir.mqttUrl)
  t.after(() => mqtt.endAsync(true))
  const future = '2199-01-01T00:00:00Z'
  const good = { device_id: 'a', timestamp: Date.now(), data: { t: 1 } }
  const answer = await client.post('/api/v1/telemetry', [{ ...good, timestamp: future }, good])
  assert.equal((answer.json as Outcome).accepted, 1)
  const fleet = await client.post('/api/telemetry/a', { t: 99, device_time: future })
  assert.equal(fleet.status, 400)
  await mqtt.publishAsync('devices/a/telemetry', `{"t":99,"timestamp":"${future}"}`, { qos: 1 })
  const timeUs = Date.parse(future) * 1000
  const frame = frameOf([{ device: 'a', metric: 't', timeUs, value: 99 }])
  const type = { 'content-type': 'application/octet-stream' }
  assert.equal((await client.post('/api/v1/telemetry/binary', frame, type)).status, 400)
  const latest = await client.read('/api/v1/telemetry/latest?device_id=a')
  assert.deepEqual(
    (latest.data as { value: number }[]).map(each => each.value),
    [1],
  )
  assert.equal((await client.read('/api/telemetry/latest/a')).t, 1)
  const { rejected_by_reason } = await ledgerOf(client)
  assert.equal(rejected_by_reason['future_time'], 4)
})

interface BadBody {
  readonly what: string
  readonly body: string | Uint8Array
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly status: number
  readonly detail: RegExp
}

const gzip = { 'content-encoding': 'gzip' }
const octets = { 'content-type': 'application/octet-stream' }
const lines = { 'content-type': 'application/x-ndjson' }

function badBodies(): BadBody[] {
  const good = '{"device_id":"a","data":{"x":1}}'
  const packed = gzipSync(
    JSON.stringify(Array.from({ length: 5000 }, () => JSON.parse(good) as object)),
  )
  const frame = frameOf([{ device: 'a', metric: 'x', timeUs: START_US, value: 1 }])
  const broken = Uint8Array.from(frame)
  broken[broken.length - 20] ^= 1
  const deep = 100_000
  return [
    { what: 'an empty body', body: '', status: 400, detail: /empty|JSON/ },
    { what: 'an empty array', body: '[]', status: 400, detail: /no points|empty/ },
    {
      what: 'an empty NDJSON body',
      body: '',
      headers: lines,
      status: 400,
      detail: /empty|no points/,
    },
    { what: 'an empty object', body: '{}', status: 400, detail: /device_id/ },
    { what: 'NaN', body: '{"device_id":"a","data":{"x":NaN}}', status: 400, detail: /JSON|NaN/ },
    {
      what: 'Infinity',
      body: '{"device_id":"a","data":{"x":-Infinity}}',
      status: 400,
      detail: /JSON|nfinity/,
    },
    {
      what: 'half a document',
      body: '[{"device_id":"a","data":{"x":1}}',
      status: 400,
      detail: /JSON|end/,
    },
    { what: 'no text at all', body: Uint8Array.of(0xff, 0xfe, 0, 1), status: 400, detail: /UTF-8/ },
    {
      what: 'JSON nested by the hundred thousand',
      body: `{"device_id":"a","data":${'{"x":'.repeat(deep)}1${'}'.repeat(deep)}}`,
      status: 400,
      detail: /deep|maxDepth/,
    },
    {
      what: 'arrays nested by the hundred thousand',
      body: '['.repeat(deep),
      status: 400,
      detail: /JSON/,
    },
    {
      what: 'an empty batch',
      path: '/api/v1/telemetry/batch',
      body: '{"device_id":"a","data":[]}',
      status: 400,
      detail: /empty/,
    },
    {
      what: 'columns of different lengths',
      path: '/api/v1/telemetry/batch',
      body: '{"device_id":"a","timestamps":[1,2],"metrics":{"x":[1]}}',
      status: 400,
      detail: /1 values for 2 timestamps/,
    },
    {
      what: 'a truncated gzip body',
      body: packed.subarray(0, packed.length / 2),
      headers: gzip,
      status: 400,
      detail: /truncated/,
    },
    { what: 'a body that is no gzip', body: good, headers: gzip, status: 400, detail: /gzip/ },
    {
      what: 'an unknown encoding',
      body: good,
      headers: { 'content-encoding': 'br' },
      status: 415,
      detail: /gzip/,
    },
    {
      what: 'a gzip bomb',
      body: gzipSync(Buffer.alloc(300 * 1024 * 1024, ' ')),
      headers: gzip,
      status: 413,
      detail: /ingest\.maxDecompressedBytes/,
    },
    {
      what: 'a body beyond the limit',
      body: Buffer.alloc(65 * 1024 * 1024, ' '),
      status: 413,
      detail: /ingest\.maxBodyBytes/,
    },
    {
      what: 'no frame',
      path: '/api/v1/telemetry/binary',
      headers: octets,
      body: 'x',
      status: 400,
      detail: /header/,
    },
    {
      what: 'a frame with a flipped bit',
      path: '/api/v1/telemetry/binary',
      headers: octets,
      body: broken,
      status: 400,
      detail: /checksum/,
    },
    {
      what: 'half a frame',
      path: '/api/v1/telemetry/binary',
      headers: octets,
      body: frame.subarray(0, 60),
      status: 400,
      detail: /length/,
    },
    {
      what: 'another media type',
      body: '<x/>',
      headers: { 'content-type': 'text/xml' },
      status: 415,
      detail: /json/,
    },
  ]
}

test(
  'bodies that are no telemetry get a clear error, and cost nobody else anything',
  LIMIT,
  async t => {
    const weir = await startWeir(t, { args: FLUSHES })
    const client = await weirClient(weir.url)
    const good = goodClients(t, weir)
    for (const {
      what,
      body,
      path = '/api/v1/telemetry',
      headers = {},
      status,
      detail,
    } of badBodies()) {
      const answer = await client.post(path, body, headers)
      assert.equal(answer.status, status, `${what}: ${answer.text}`)
      const problem = answer.json as {
        detail: string
        limit?: string
        errors?: Outcome['rejected']
      }
      const told = [
        problem.detail,
        problem.limit ?? '',
        ...(problem.errors ?? []).map(each => `${each.field} ${each.detail}`),
      ]
      assert.match(told.join('\n'), detail, what)
      assert.ok(answer.text.length < 2000, `${what}: the answer is short`)
    }
    assert.deepEqual(await readPoints(client, ['a']), [])
    await good.finish(client)
  },
)

test('large bodies and bombs at once stay within bounded memory', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const good = goodClients(t, weir)
  const item = (i: number): string =>
    `{"device_id":"big","timestamp":${1_600_000_000_000 + i},"data":{"x":${i},"pad":"${'y'.repeat(60)}"}}`
  const tenMegabytes = (from: number): string =>
    `[${Array.from({ length: 80_000 }, (_, i) => item(from + i)).join(',')}]`
  const bomb = gzipSync(Buffer.alloc(400 * 1024 * 1024, ' '))
  const statuses: number[] = []
  const accepted: Outcome[] = []
  const note = (answer: WeirAnswer): void => {
    statuses.push(answer.status)
    if (answer.status === 200) accepted.push(answer.json as Outcome)
  }
  let peakBytes = 0
  const watch = setInterval(() => (peakBytes = Math.max(peakBytes, memoryOf(weir))), 20)
  t.after(() => clearInterval(watch))
  for (let round = 0; round < 2; round++) {
    const body = tenMegabytes(round * 80_000)
    assert.ok(body.length > 9e6)
    const requests = [
      ...Array.from({ length: 3 }, () => client.post('/api/v1/telemetry', body)),
      ...Array.from({ length: 6 }, () => client.post('/api/v1/telemetry', bomb, gzip)),
    ]
    for (const answer of await Promise.all(requests)) note(answer)
  }
  clearInterval(watch)
  t.diagnostic(`peak memory ${Math.round(peakBytes / 1e6)} MB; ${statuses.join(' ')}`)
  assert.ok(
    statuses.every(status => [200, 413, 503].includes(status)),
    statuses.join(),
  )
  for (const outcome of accepted) {
    assert.deepEqual([outcome.accepted, outcome.rejected.length], [160_000, 0])
  }
  assert.ok(peakBytes < 1.5e9, `${peakBytes} bytes`)
  await good.finish(client)
})

/** Resident memory of the node. */
function memoryOf({ pid }: WeirProcess): number {
  try {
    const [, kilobytes = '0'] =
      /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes) * 1024
  } catch {
    // Not Linux.
    return 0
  }
}

test('malformed MQTT cuts the client that sent it, and nobody else', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const good = goodClients(t, weir)
  const connectPacket = Buffer.from('100c00044d5154540402003c0000', 'hex')
  const publish = (topic: string, payload: string): Buffer => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(Buffer.byteLength(topic))
    const rest = Buffer.concat([length, Buffer.from(topic), Buffer.from(payload)])
    return Buffer.concat([Buffer.from([0x30, rest.length]), rest])
  }
  const cases: Readonly<Record<string, Buffer>> = {
    'HTTP on the MQTT port': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'a reserved packet type': Buffer.from([0x00, 0x00]),
    'no CONNECT first': publish('devices/a/telemetry', '{"x":1}'),
    'an unknown protocol': Buffer.from('100c00044d5154590402003c0000', 'hex'),
    'two CONNECTs': Buffer.concat([connectPacket, connectPacket]),
    'a length that never ends': Buffer.concat([connectPacket, Buffer.from('30ffffffff7f', 'hex')]),
    'a packet beyond mqtt.maxPacketBytes': Buffer.concat([
      connectPacket,
      Buffer.from('3080808040', 'hex'),
    ]),
    'QoS 3': Buffer.concat([connectPacket, Buffer.from('3605000161000178', 'hex')]),
    'a wildcard in a topic': Buffer.concat([connectPacket, publish('devices/+/telemetry', '{}')]),
    'a NUL in a topic': Buffer.concat([connectPacket, publish('devices/a\0/telemetry', '{}')]),
    'a topic that is no UTF-8': Buffer.concat([
      connectPacket,
      Buffer.from('30050003ffc0af', 'hex'),
    ]),
    'a topic longer than the packet': Buffer.concat([
      connectPacket,
      Buffer.from('3003ffff61', 'hex'),
    ]),
    noise: Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 7919) % 251)),
  }
  for (const [what, bytes] of Object.entries(cases)) {
    const socket = connectTcp(weir.mqttPort, '127.0.0.1')
    t.after(() => void socket.destroy())
    await once(socket, 'connect')
    socket.on('error', () => {})
    socket.resume()
    const closed = once(socket, 'close')
    socket.write(bytes)
    await Promise.race([
      closed,
      new Promise((_, reject) => {
        const timer = setTimeout(reject, 30_000, new Error(`${what}: it was not cut`))
        closed.finally(() => clearTimeout(timer)).catch(() => {})
      }),
    ])
  }
  assert.deepEqual(await readPoints(client, ['a']), [])

  // Payloads that are no telemetry are refused one by one; their client stays.
  const mqtt = await connectAsync(weir.mqttUrl)
  t.after(() => mqtt.endAsync(true))
  const before = await ledgerOf(client)
  const bad = [
    '',
    '{',
    'nonsense',
    '[]',
    '{"x":null}',
    '{"x":1e309}',
    '{"x":9007199254740993}',
    '{}',
  ]
  for (const payload of [...bad, '{"x":1,"timestamp":1700000000}']) {
    await mqtt.publishAsync('devices/mixed/telemetry', payload, { qos: 1 })
  }
  assert.deepEqual(await readPoints(client, ['mixed']), [
    { device: 'mixed', metric: 'x', timeUs: 1_700_000_000e6, value: 1 },
  ])
  assert.equal((await ledgerOf(client)).rejected - before.rejected, bad.length)
  await good.finish(client)
})

test('broken HTTP is answered or cut, and nobody else notices', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const good = goodClients(t, weir)
  const post = 'POST /api/v1/telemetry HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
  const cases: readonly (readonly [what: string, bytes: string, answer: RegExp])[] = [
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'huge headers',
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    ['a bad length', `${post}content-length: -5\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['two lengths', `${post}content-length: 5\r\ncontent-length: 6\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['a bad chunk', `${post}transfer-encoding: chunked\r\n\r\nzz\r\n`, /^HTTP\/1\.1 400 /],
    [
      'a path that cannot be decoded',
      'GET /api/v1/telemetry/%ff%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a device id that is too long',
      `GET /api/telemetry/latest/${'x'.repeat(5000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      /^HTTP\/1\.1 4\d\d /,
    ],
  ]
  for (const [what, bytes, expected] of cases) {
    const socket = connectTcp(weir.httpPort, '127.0.0.1')
    t.after(() => void socket.destroy())
    socket.write(bytes)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    assert.match(answer, expected, what)
  }
  // A client that goes away in the middle of its body.
  const gone = connectTcp(weir.httpPort, '127.0.0.1')
  await once(gone, 'connect')
  gone.write(`${post}content-length: 1000\r\n\r\n{"device_id":"gone"`)
  gone.resetAndDestroy()
  assert.deepEqual(await readPoints(client, ['gone']), [])
  await good.finish(client)
})
