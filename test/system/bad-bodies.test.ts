import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { frameOf } from '../fixtures/fleet-doors.ts'
import { FLUSHES, goodClients, START_US } from '../fixtures/good-clients.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { weirClient, type WeirAnswer } from '../fixtures/weir-client.ts'
import { startWeir, type WeirProcess } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }

interface Outcome {
  readonly accepted: number
  readonly rejected: readonly { index: number; field: string; detail: string }[]
}

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
  await good.finish(client, { isOverloaded: true })
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
