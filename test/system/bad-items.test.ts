import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { ClientLedger } from '../fixtures/client-ledger.ts'
import { frameOf } from '../fixtures/fleet-doors.ts'
import { FLUSHES, goodClients, START_US } from '../fixtures/good-clients.ts'
import { readPoints, readRows } from '../fixtures/read-back.ts'
import { ledgerOf, settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }

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
