import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import { keyedHost } from '../../../test/fixtures/keyed-host.ts'
import { testServices, type TestOptions } from '../../../test/fixtures/http-services.ts'
import { until } from '../../../test/fixtures/until.ts'
import { isoFromTime } from '../../model/time.ts'
import { WeirError } from '../../ports/errors.ts'
import type { Transfer } from '../services.ts'

const EXPORT = '/api/v1/export'
const IMPORT = '/api/v1/import'
const CSV = { 'content-type': 'text/csv' }
const HEADER = 'time,device_id,metric,value,text'

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

async function withFleet(run: (host: TestHost) => Promise<void>): Promise<void> {
  await withHost(async host => {
    for (const [id, site] of [
      ['b', 'south'],
      ['a', 'north'],
    ]) {
      await host.post('/api/v1/devices', { id, site, product: 'P' })
      await host.post('/api/v1/telemetry', [
        { device_id: id, timestamp: '2026-11-20T09:00:00Z', data: { t: -1.5, s: 'on' } },
        { device_id: id, timestamp: '2026-11-20T09:00:01.000001Z', data: { t: 2 } },
      ])
    }
    await run(host)
  })
}

const lines = (text: string): string[] => text.trim().split('\n').slice(1)

test('an export has every point of every device, in order of names', () =>
  withFleet(async ({ get }) => {
    const { text, headers } = await get(EXPORT)
    assert.equal(headers['content-type'], 'text/csv; charset=utf-8; header=present')
    assert.match(headers['content-disposition'], /^attachment; filename="weir-\d{8}T\d{6}Z\.csv"$/)
    assert.deepEqual(text.split('\n'), [
      HEADER,
      '2026-11-20T09:00:00.000000Z,a,t,-1.5,',
      '2026-11-20T09:00:01.000001Z,a,t,2,',
      '2026-11-20T09:00:00.000000Z,a,s,,on',
      '2026-11-20T09:00:00.000000Z,b,t,-1.5,',
      '2026-11-20T09:00:01.000001Z,b,t,2,',
      '2026-11-20T09:00:00.000000Z,b,s,,on',
      '',
    ])
    const ndjson = await get(`${EXPORT}?format=ndjson&time=s`)
    assert.equal(ndjson.headers['content-type'], 'application/x-ndjson')
    assert.equal(
      ndjson.text.split('\n')[1],
      '{"time_s":1795165201.000001,"device_id":"a","metric":"t","value":2}',
    )
  }))

test('devices, metrics, site, product and times narrow it', () =>
  withFleet(async ({ get }) => {
    const count = async (query: string): Promise<number> =>
      lines((await get(`${EXPORT}?${query}`)).text).length
    assert.equal(await count('device_id=b'), 3)
    assert.equal(await count('device_id=b&device_id=a&device_id=b&metric=t'), 4)
    assert.equal(await count('site=north&metric=s&metric=t'), 3)
    assert.equal(await count('site=north&device_id=b'), 0)
    assert.equal(await count('product=P'), 6)
    assert.equal(await count('product=Q'), 0)
    assert.equal(await count('start=2026-11-20T09:00:01Z'), 2)
    assert.equal(await count('end=2026-11-20T09:00:01Z&metric=t'), 2)
    assert.equal((await get(`${EXPORT}?device_id=b&device_id=nobody`)).status, 404)
    for (const query of ['format=xls', 'device=a', 'start=soon', 'time=h', 'compression=br']) {
      assert.equal((await get(`${EXPORT}?${query}`)).status, 400, query)
    }
    assert.equal((await get(`${EXPORT}?format=parquet&compression=gzip`)).status, 400)
    assert.equal((await get(`${EXPORT}?format=parquet&time=us`)).status, 400)
  }))

test('the wide layout has a row a time and a column a metric, and is for CSV', () =>
  withFleet(async ({ get }) => {
    const { status, text } = await get(`${EXPORT}?layout=wide&time=s`)
    assert.equal(status, 200)
    const rows = ['a', 'b'].flatMap(id => [
      `1795165200,${id},on,-1.5`,
      `1795165201.000001,${id},,2`,
    ])
    assert.equal(text, `${['time_s,device_id,s,t', ...rows].join('\n')}\n`)
    const narrowed = await get(`${EXPORT}?layout=wide&metric=t&site=north`)
    assert.equal(narrowed.text.split('\n')[0], 'time,device_id,t')
    for (const format of ['ndjson', 'parquet']) {
      const refused = await get(`${EXPORT}?layout=wide&format=${format}`)
      assert.deepEqual([refused.status, refused.json.errors[0].field], [400, 'layout'])
    }
  }))

test('text is packed for clients that take it, or as a file for those who ask', () =>
  withFleet(async ({ app, get }) => {
    const { text } = await get(EXPORT)
    const ask = async (query: string, accept: string) => {
      const headers = { 'accept-encoding': accept }
      const answer = await app.inject({ method: 'GET', url: EXPORT + query, headers })
      return { ...answer.headers, bytes: answer.rawPayload }
    }
    const encoded = await ask('', 'br, gzip')
    assert.equal(encoded['content-encoding'], 'gzip')
    assert.equal(gunzipSync(encoded.bytes).toString(), text)
    for (const accept of ['br', 'gzip;q=0', 'identity']) {
      assert.equal((await ask('', accept))['content-encoding'], undefined, accept)
    }
    const file = await ask('?compression=gzip', 'gzip')
    assert.equal(file['content-encoding'], undefined)
    assert.equal(file['content-type'], 'application/gzip')
    assert.match(String(file['content-disposition']), /\.csv\.gz"$/)
    assert.equal(gunzipSync(file.bytes).toString(), text)
    assert.equal((await ask('?compression=none', 'gzip'))['content-encoding'], undefined)
    const parquet = await ask('?format=parquet', 'gzip')
    assert.equal(parquet['content-encoding'], undefined)
    assert.equal(parquet.bytes.toString('latin1', 0, 4), 'PAR1')
    assert.equal(parquet.bytes.toString('latin1', parquet.bytes.length - 4), 'PAR1')
  }))

test('names of devices and metrics reach no header', () =>
  withHost(async ({ app, post, get }) => {
    const id = '..\\..\\a"; filename="x'
    await post('/api/v1/telemetry', { device_id: id, data: { '../m': 1 } })
    const { headers } = await get(`${EXPORT}?device_id=${encodeURIComponent(id)}&metric=../m`)
    assert.match(headers['content-disposition'], /^attachment; filename="weir-[\dTZ]+\.csv"$/)
    await app.close()
  }))

/** A server that listens, for what only sockets show. */
async function listening(t: TestContext, overrides: Partial<Transfer>) {
  const base = testServices()
  const host = await testHost({
    overrides: { transfer: { ...base.services.transfer, ...overrides } },
  })
  t.after(() => host.app.close())
  await host.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = host.app.server.address() as AddressInfo
  const ask = async (path: string): Promise<IncomingMessage> => {
    const sent = request({ host: '127.0.0.1', port, path }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    return answer
  }
  return { ...host, ask, slots: base.services.transfer.slots }
}

async function readAll(answer: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await answer.toArray())
}

test('an export that fails on its way is cut, so that it is not taken for whole', async t => {
  const host = await listening(t, {
    async *exportPoints() {
      yield Buffer.from(`${HEADER}\n`)
      await turn()
      throw new WeirError('retryable', 'a block is damaged')
    },
  })
  for (const query of ['', '?compression=gzip']) {
    const answer = await host.ask(EXPORT + query)
    if (answer.statusCode === 503) {
      // It failed before anything was on its way: then the problem itself is the answer.
      assert.equal(answer.headers['content-disposition'], undefined)
      assert.match((await readAll(answer)).toString(), /damaged/)
      continue
    }
    assert.equal(answer.statusCode, 200)
    await assert.rejects(readAll(answer), { code: 'ECONNRESET' })
    assert.equal(answer.complete, false)
  }
})

test('an export that fails at its start has the status of the failure', () =>
  withHost(
    async ({ get, services }) => {
      assert.equal((await get(EXPORT)).status, 503)
      assert.equal((await get(EXPORT)).status, 503)
      // Its slot is free again: else this would be refused for another reason.
      assert.match((await get(EXPORT)).json.detail, /damaged/)
      services.transfer.slots.take()()
    },
    {
      overrides: {
        transfer: {
          ...testServices().services.transfer,
          // oxlint-disable-next-line require-yield -- it fails before
          async *exportPoints() {
            throw new WeirError('retryable', 'a block is damaged')
          },
        },
      },
    },
  ))

/** Pieces without end, and how it ended. */
function endless() {
  const state = { pieces: 0, ended: 0 }
  const exportPoints: Transfer['exportPoints'] = async function* () {
    try {
      for (;;) {
        state.pieces++
        await turn()
        yield Buffer.alloc(65_536, 'x')
      }
    } finally {
      state.ended++
    }
  }
  return { state, exportPoints }
}

test('a reader that is slow holds the export back, one that goes away ends it', async t => {
  const { state, exportPoints } = endless()
  const host = await listening(t, { exportPoints })
  const answers = [await host.ask(EXPORT), await host.ask(`${EXPORT}?compression=gzip`)]
  let before = -1
  await until('nothing more is made', async () => {
    if (state.pieces === before) return true
    before = state.pieces
    for (let i = 0; i < 200; i++) await turn()
    return false
  })
  assert.equal(state.ended, 0)
  // Both slots of the fixture are taken.
  const third = await host.ask(EXPORT)
  assert.equal(third.statusCode, 503)
  assert.ok(Number(third.headers['retry-after']) > 0)
  assert.equal(
    (JSON.parse((await readAll(third)).toString()) as { limit: string }).limit,
    'transfer.maxRunning',
  )
  for (const answer of answers) answer.destroy()
  await until('both have ended', () => state.ended === 2)
  const again = await host.ask(EXPORT)
  assert.equal(again.statusCode, 200)
  // A stop cuts what runs, and does not wait for it.
  const closed = host.app.close()
  await assert.rejects(readAll(again), { code: 'ECONNRESET' })
  await closed
  assert.equal(state.ended, 3)
})

test('an import takes what an export wrote, packed or not, and again changes nothing', () =>
  withFleet(async ({ get, post, app }) => {
    const formats = { csv: 'text/csv', ndjson: 'application/x-ndjson' }
    const expected = { accepted: 6, rejected: [], rejected_total: 0 }
    for (const [format, type] of Object.entries(formats)) {
      const { text } = await get(`${EXPORT}?format=${format}`)
      assert.deepEqual((await post(IMPORT, text, { 'content-type': type })).json, expected)
      const packed = { 'content-type': type, 'content-encoding': 'gzip' }
      assert.deepEqual((await post(IMPORT, gzipSync(text), packed)).json, expected)
      assert.equal((await get(`${EXPORT}?format=${format}`)).text, text)
    }
    const parquet = await app.inject({ method: 'GET', url: `${EXPORT}?format=parquet` })
    const sent = await post(`${IMPORT}?format=parquet`, parquet.rawPayload)
    assert.deepEqual(sent.json, expected)
    assert.deepEqual(
      (await app.inject({ method: 'GET', url: `${EXPORT}?format=parquet` })).rawPayload,
      parquet.rawPayload,
    )
  }))

test('names and texts that a spreadsheet would run come back from a wide file as they were', () =>
  withHost(async ({ get, post }) => {
    const timestamp = '2026-11-20T09:00:00Z'
    const data = { '+m': 1, "'n": '=1+1', plain: "'quoted'", minus: '-' }
    await post('/api/v1/telemetry', { device_id: '=pump', timestamp, data })
    const { text } = await get(`${EXPORT}?layout=wide`)
    assert.match(
      text,
      /^time,device_id,''n,'\+m,minus,plain\n[^,]+,'=pump,'=1\+1,1,'-,''quoted'\n$/,
    )
    await withHost(async other => {
      const sent = await other.post(`${IMPORT}?device=device_id`, text, CSV)
      assert.equal(sent.json.accepted, 4)
      assert.deepEqual(
        lines((await other.get(EXPORT)).text).sort(),
        lines((await get(EXPORT)).text).sort(),
      )
      // Of somebody's file nothing is taken off.
      const foreign = "at,device_id,plain\n2026-11-20T09:00:00Z,b,'quoted'\n"
      await other.post(`${IMPORT}?time=at&device=device_id`, foreign, CSV)
      const [row] = lines((await other.get(`${EXPORT}?device_id=b`)).text)
      assert.match(row, /,b,plain,,''quoted'$/)
    })
  }))

test('a mapping comes as parameters, and a mistake in it is answered with what there is', () =>
  withHost(async ({ post, get }) => {
    const file = 'ts;dev;a, b;c\n2026-01-01 00:00:00;x;1,5;2\n2026-01-01 00:00:01;x;;3\n'
    const url = `${IMPORT}?time=ts&device=dev&metrics=${encodeURIComponent('c')}&metrics=${encodeURIComponent('a, b')}`
    assert.equal((await post(url, file, CSV)).json.accepted, 3)
    const { text } = await get(`${EXPORT}?metric=c`)
    assert.deepEqual(lines(text), [
      '2026-01-01T00:00:00.000000Z,x,c,2,',
      '2026-01-01T00:00:01.000000Z,x,c,3,',
    ])
    const wrong = await post(`${IMPORT}?time=when&device=dev`, file, CSV)
    assert.equal(wrong.status, 400)
    assert.match(wrong.json.detail, /no column is called "when"; there are: ts, dev, a, b, c/)
    assert.match((await post(IMPORT, file, CSV)).json.detail, /device=COLUMN/)
    assert.equal((await post(`${IMPORT}?delimiter=x`, file, CSV)).status, 400)
    assert.equal((await post(`${IMPORT}?colour=x`, file, CSV)).status, 400)
  }))

test('refused rows are named with their line, and nothing good at all is a problem', () =>
  withHost(async ({ post }) => {
    const file = [HEADER, 'x,d,m,1,', '2026-01-01,d,m,2,', ''].join('\n')
    const some = await post(IMPORT, file, CSV)
    assert.equal(some.status, 200)
    const { rejected, ...counts } = some.json
    assert.deepEqual(counts, { accepted: 1, rejected_total: 1 })
    assert.deepEqual(
      { ...rejected[0], detail: '' },
      { index: 1, line: 2, field: 'time', detail: '' },
    )
    const none = await post(IMPORT, [HEADER, 'x,d,m,1,'].join('\n'), CSV)
    assert.equal(none.status, 400)
    assert.match(none.json.detail, /none was accepted; line 2: time/)
    assert.equal(none.json.errors[0].index, 1)
    assert.match((await post(IMPORT, `${HEADER}\n`, CSV)).json.detail, /no points in the file/)
  }))

test('a history is not held to what its devices may send in a second, and costs them nothing', () =>
  withHost(
    async ({ post }) => {
      const row = (i: number): string => `${isoFromTime(1.7e15 + i * 1e6)},d,m,${i},`
      const file = [HEADER, ...Array.from({ length: 10_000 }, (_, i) => row(i))].join('\n')
      const { json } = await post(IMPORT, file, CSV)
      assert.deepEqual([json.accepted, json.rejected_total], [10_000, 0])
      assert.equal(
        (await post('/api/v1/telemetry', { device_id: 'd', data: { m: 1 } })).status,
        200,
      )
    },
    { devicePointsPerSecond: 5 },
  ))

test('an import of which the key may write nothing is forbidden, with its rows', async t => {
  const host = await keyedHost(t)
  const key = await host.issue({ device: 'a', scopes: ['ingest'] })
  const headers = { ...CSV, authorization: `Bearer ${key}` }
  const rows = (...devices: string[]) =>
    [
      HEADER,
      ...devices.map((device, i) => `${isoFromTime((1_700_000_000 + i) * 1e6)},${device},m,1,`),
    ].join('\n')
  const none = await host.post(IMPORT, rows('b', 'c', 'b'), headers)
  assert.equal(none.status, 403)
  assert.match(none.json.detail, /none was accepted; line 2: device_id this key may write "a" only/)
  assert.deepEqual(
    (none.json.errors as { index: number }[]).map(({ index }) => index),
    [1, 2, 3],
  )
  const many = await host.post(IMPORT, rows(...Array<string>(3000).fill('b')), headers)
  assert.equal(many.status, 403, 'more than are listed')
  const wrong = await host.post(IMPORT, `${rows('b')}\nnever,a,m,1,\n`, headers)
  assert.equal(wrong.status, 400, 'one of them is wrong in itself')
  const some = await host.post(IMPORT, rows('b', 'a'), headers)
  assert.deepEqual([some.status, some.json.accepted, some.json.rejected_total], [200, 1, 1])
  await host.app.close()
})

test('what is no import is refused with the status that fits', () =>
  withHost(async ({ app, post, send }) => {
    assert.equal((await post(IMPORT, 'x', { 'content-type': 'image/png' })).status, 415)
    assert.equal((await post(IMPORT, 'x', { ...CSV, 'content-encoding': 'br' })).status, 415)
    const torn = gzipSync(`${HEADER}\n2026-01-01,d,m,1,\n`).subarray(0, 20)
    assert.equal((await post(IMPORT, torn, { ...CSV, 'content-encoding': 'gzip' })).status, 400)
    assert.equal(
      (await post(IMPORT, 'no gzip', { ...CSV, 'content-encoding': 'gzip' })).status,
      400,
    )
    const large = await post(`${IMPORT}?format=parquet`, Buffer.alloc((1 << 20) + 1))
    assert.equal(large.status, 413)
    assert.equal(large.json.limit, 'transfer.maxSpoolBytes')
    assert.equal((await post(`${IMPORT}?format=parquet`, 'PAR1')).status, 400)
    assert.equal((await post(`${IMPORT}?format=csv`)).status, 400)
    assert.equal((await send('GET', IMPORT)).status, 405)
    assert.equal((await app.inject({ method: 'HEAD', url: EXPORT })).statusCode, 405)
  }))

test('a client that has sent everything before it reads sees why its import ended', async t => {
  const host = await listening(t, {})
  const { port } = host.app.server.address() as AddressInfo
  // More than what the sockets of both sides take.
  const rest = Buffer.alloc(24 << 20, 'no cells of this header,1,2\n')
  const columns = Buffer.concat([Buffer.from('a,b,c\n'), rest])
  const cases = [
    { type: 'text/csv', body: columns, status: 400 },
    { type: 'application/vnd.apache.parquet', body: rest, status: 413 },
    // Random, so that packed it is as large.
    { type: 'text/csv', body: packedColumns(), encoding: 'gzip', status: 400 },
  ]
  for (const { type, body, encoding = 'identity', status } of cases) {
    const socket = connect(port, '127.0.0.1').pause()
    t.after(() => socket.destroy())
    const head =
      `POST ${IMPORT} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\nconnection: close\r\n` +
      `content-encoding: ${encoding}\r\ncontent-length: ${body.length}\r\n\r\n`
    await new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.write(head)
      socket.write(body, resolve)
    })
    const answer = Buffer.concat(await socket.toArray()).toString()
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), type)
    assert.match(answer, /"request_id"/)
  }
})

function packedColumns(): Buffer {
  const noise = randomBytes(24 << 20)
  return gzipSync(Buffer.concat([Buffer.from('a,b,c\nx,1,2\n'.repeat(50_000)), noise]), {
    level: 1,
  })
}

test('an import whose client goes away gives its slot back, with what was durable kept', async t => {
  const host = await listening(t, {})
  const { port } = host.app.server.address() as AddressInfo
  const begun: ReturnType<typeof request>[] = []
  for (let i = 0; i < 2; i++) {
    const sent = request({ host: '127.0.0.1', port, path: IMPORT, method: 'POST', headers: CSV })
    sent.on('error', () => undefined)
    sent.write(`${HEADER}\n2026-01-01,d,m,${i},\n`)
    begun.push(sent)
  }
  await until('both slots are taken', async () => {
    const answer = await host.ask(EXPORT)
    await readAll(answer)
    return answer.statusCode === 503
  })
  for (const sent of begun) sent.destroy()
  await until('the slots are free', async () => {
    const answer = await host.ask(EXPORT)
    await readAll(answer)
    return answer.statusCode === 200
  })
})
