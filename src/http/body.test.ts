import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import { testServices, type TestOptions } from '../../test/fixtures/http-services.ts'
import { createHttpHost } from './host.ts'

const PATH = '/api/v1/telemetry'

/** On a real socket: bodies arrive in pieces, and clients go away. */
async function listening(
  run: (at: { url: string; port: number; observed: string[] }) => Promise<void>,
  options: TestOptions = {},
): Promise<void> {
  const { services, observed } = testServices(options)
  const app = createHttpHost(services)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  try {
    await run({ url: `http://127.0.0.1:${port}${PATH}`, port, observed })
  } finally {
    await app.close()
  }
}

const messages = (count: number): string =>
  JSON.stringify(
    Array.from({ length: count }, (_, i) => ({
      device_id: 'a',
      timestamp: i,
      // Noise, so that it stays large when packed.
      data: { x: Math.sin(i), y: (i * 7919) % 65_537 },
    })),
  )

async function post(
  url: string,
  body: string | Buffer | ReadableStream,
  headers: Record<string, string> = {},
) {
  const answer = await fetch(url, { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Json }
}

// oxlint-disable-next-line no-explicit-any -- tests assert on what it is
type Json = any

const GZIP = { 'content-encoding': 'gzip' }

test('packed bodies, small and large, are unpacked', () =>
  listening(async ({ url }) => {
    for (const count of [1, 100, 1000, 50_000]) {
      for (const encoding of ['gzip', 'x-gzip']) {
        const headers = { 'content-encoding': encoding }
        const { json } = await post(url, gzipSync(messages(count)), headers)
        assert.deepEqual(json, { accepted: 2 * count, rejected: [] })
      }
    }
  }))

test('a chunked body, packed or not, is put together', () =>
  listening(async ({ url }) => {
    for (const headers of [{}, GZIP]) {
      const text = Buffer.from(messages(2000))
      const bytes = headers === GZIP ? gzipSync(text) : text
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < bytes.length; at += 10_000) {
            controller.enqueue(new Uint8Array(bytes.subarray(at, at + 10_000)))
          }
          controller.close()
        },
      })
      assert.equal((await post(url, body, headers as Record<string, string>)).json.accepted, 4000)
    }
  }))

test('a truncated gzip body is 400, wherever it ends', () =>
  listening(async ({ url }) => {
    for (const count of [3, 20_000]) {
      const packed = gzipSync(messages(count))
      for (const part of [0.3, 0.9, 0.999]) {
        const cut = packed.subarray(0, Math.floor(packed.length * part))
        const { status, json } = await post(url, cut, GZIP)
        assert.equal(status, 400)
        assert.equal(json.detail, 'the gzip body is truncated')
      }
    }
  }))

test('bytes that are no gzip are 400, and encodings that are not known are 415', () =>
  listening(async ({ url }) => {
    for (const count of [1, 5000]) {
      const { status, json } = await post(url, messages(count), GZIP)
      assert.equal(status, 400)
      assert.match(json.detail, /the body is not gzip: incorrect header check/)
    }
    const damaged = gzipSync(messages(5000))
    damaged[damaged.length >> 1] ^= 0xff
    assert.equal((await post(url, damaged, GZIP)).status, 400)
    for (const encoding of ['deflate', 'br', 'zstd', 'gzip, gzip']) {
      const headers = { 'content-encoding': encoding }
      const answer = await post(url, deflateSync(messages(1)), headers)
      assert.equal(answer.status, 415, encoding)
      assert.equal(answer.headers.get('accept-encoding'), 'gzip')
    }
  }))

test('a gzip bomb is stopped at the bound, which the answer names', () =>
  listening(
    async ({ url }) => {
      const bombs = [Buffer.alloc(3_000_000), Buffer.alloc(100_000_000)].map(raw => gzipSync(raw))
      for (const bomb of bombs) {
        const { status, json } = await post(url, bomb, GZIP)
        assert.equal(status, 413)
        assert.equal(json.limit, 'ingest.maxDecompressedBytes')
      }
      assert.equal((await post(url, messages(10))).status, 200)
    },
    { limits: { maxDecompressedBytes: 1_000_000 } },
  ))

test('a body beyond the limit is 413 for a client that sends it all, announced or chunked', () =>
  listening(
    async ({ url }) => {
      const body = Buffer.alloc(5_000_000, ' ')
      const announced = await post(url, body)
      assert.equal(announced.status, 413)
      assert.equal(announced.json.limit, 'ingest.maxBodyBytes')
      const chunked = new Blob([body]).stream()
      assert.equal((await post(url, chunked)).status, 413)
      const packed = Buffer.concat([gzipSync(messages(10_000), { level: 0 }), body])
      assert.equal((await post(url, packed, GZIP)).status, 413)
    },
    { limits: { maxBodyBytes: 100_000 } },
  ))

test('bodies received at once are bounded, and the room comes back', () =>
  listening(
    async ({ url }) => {
      // The budget of all bodies is twice the bound of one unpacked.
      const { status, json, headers } = await post(url, Buffer.alloc(3_000_000, ' '))
      assert.equal(status, 503)
      assert.equal(json.limit, 'http.maxBufferedBytes')
      assert.equal(headers.get('retry-after'), '1')
      for (let i = 0; i < 5; i++) {
        assert.equal((await post(url, Buffer.alloc(1_500_000, ' '))).status, 400)
      }
    },
    { limits: { maxBufferedBytes: 2_000_000 } },
  ))

test('a client that goes away in the middle disturbs no other', () =>
  listening(async ({ url, port }) => {
    for (const encoding of ['identity', 'gzip']) {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      const head = `POST ${PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\ncontent-encoding: ${encoding}`
      socket.write(`${head}\r\n\r\n`)
      socket.write(gzipSync(messages(10)))
      await new Promise(resolve => setImmediate(resolve))
      socket.destroy()
      await once(socket, 'close')
    }
    assert.equal((await post(url, messages(1))).status, 200)
  }))

test('what is no HTTP is answered by a problem, and the connection closed', () =>
  listening(async ({ port }) => {
    const cases: [string, RegExp][] = [
      ['hello\r\n\r\n', /^HTTP\/1\.1 400 Bad Request/],
      [`GET / HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ]
    for (const [bytes, status] of cases) {
      const socket = connect(port, '127.0.0.1')
      let answer = ''
      socket.setEncoding('utf8').on('data', (text: string) => (answer += text))
      socket.on('error', () => {})
      socket.write(bytes)
      await once(socket, 'close')
      assert.match(answer, status)
      assert.match(answer, /content-type: application\/problem\+json/)
    }
  }))
