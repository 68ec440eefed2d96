import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  testServices,
  type TestOptions,
  type TestServices,
} from '../../../test/fixtures/http-services.ts'
import type { HttpApp } from '../app.ts'
import { foreignPages } from '../../kit/foreign-pages.ts'
import { createHttpHost } from '../host.ts'
import { WeirError } from '../../ports/errors.ts'

interface Door extends TestServices {
  readonly app: HttpApp
  readonly connect: () => Promise<Socket>
  /** Sends the pieces, each once the one before has left, and returns all that came back. */
  readonly talk: (pieces: readonly Buffer[]) => Promise<string>
}

/** Debug logging turns the lane off, and changes nothing else that a client sees. */
async function openDoor(lane: boolean, options: TestOptions = {}): Promise<Door> {
  const made = testServices(options)
  const logger = { ...made.services.logger, isLevelEnabled: () => !lane }
  const app = createHttpHost({ ...made.services, logger })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    return socket
  }
  const talk = async (pieces: readonly Buffer[]): Promise<string> => {
    const socket = await open()
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
      if (answer.endsWith('{"status":"ok"}')) socket.destroy()
    })
    socket.setTimeout(SILENCE_MS, () => socket.destroy())
    socket.on('error', () => {})
    const closed = new Promise(resolve => socket.once('close', resolve))
    for (const piece of pieces) {
      if (socket.destroyed) break
      await new Promise(resolve => socket.write(piece, resolve))
      await new Promise(resolve => setImmediate(resolve))
    }
    await closed
    return answer
  }
  return Object.assign(made, { app, connect: open, talk })
}

async function bothDoors(run: (lane: Door, plain: Door) => Promise<void>, options?: TestOptions) {
  const doors = [await openDoor(true, options), await openDoor(false, options)] as const
  try {
    for (const { app } of doors) {
      const payload = '{"x":1,"state":"é","device_time":"2026-11-20T11:00:00Z"}'
      await app.inject({ method: 'POST', url: '/api/telemetry/r', payload })
    }
    await run(...doors)
  } finally {
    for (const { app } of doors) await app.close()
  }
}

async function withLane(run: (door: Door) => Promise<void>, options?: TestOptions) {
  const door = await openDoor(true, options)
  try {
    await run(door)
  } finally {
    await door.app.close()
  }
}

/** Answers without what differs from host to host, and from second to second. */
function comparable(answers: string): string {
  return answers
    .replace(/\r\ndate: [^\r]+/gi, '')
    .replace(/("request_id":"|x-request-id: )[a-z0-9]+-[a-z0-9]+/g, '$1…')
    .replace(/(problem\+json[^\r]*\r\n)content-length: \d+\r\n/g, '$1')
}

/** Ends every conversation: when it is answered, all before it are. */
const BYE = 'GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n'
/** Where a length that is too long has swallowed the end, silence is the end. */
const SILENCE_MS = 2000
const get = (id: string, fields = ''): string =>
  `GET /api/telemetry/latest/${id} HTTP/1.1\r\nhost: x\r\n${fields}\r\n`
const post = (id: string, body: string, fields = ''): string => {
  const bytes = Buffer.from(body).toString('latin1')
  return `POST /api/telemetry/${id} HTTP/1.1\r\nhost: x\r\n${fields}content-length: ${bytes.length}\r\n\r\n${bytes}`
}
const raw = (first: string, fields: string, body = ''): string =>
  `${first}\r\n${fields}\r\n\r\n${body}`

/** What is read (`r`) is not what is sent: pipelined requests race, within node:http too. */
const REQUESTS: readonly string[] = [
  get('r'),
  get('missing'),
  get('missing', 'x-request-id: trace-1.2:3 \r\n'),
  get('missing', 'X-Request-Id: not good\r\n'),
  get('missing', 'x-request-id: a\r\nx-request-id: b\r\n'),
  get('r', 'Connection: Keep-Alive\r\naccept: */*\r\n'),
  get('r', 'content-length: 0\r\n'),
  get('r', 'x-empty:\r\n'),
  get('a%20b'),
  get('a?x=1'),
  get(''),
  get('a/b'),
  get('a;b'),
  get('x'.repeat(300)),
  get('r', `x-long: ${'y'.repeat(5000)}\r\n`),
  post('a', '{"x":1.5,"y":-0,"state":"on"}'),
  post('new-1', '{"x":1}', 'content-type: application/json\r\n'),
  post('new-2', '{"é":"ü","x":1e3}', 'Content-Type: application/json; charset=utf-8\r\n'),
  post('a', '{"x":1}', 'content-type: text/plain\r\n'),
  post('a', '{"x":1}', 'content-type: nonsense\r\n'),
  post('a', '{"x":1}', 'content-type: application/json\r\ncontent-type: text/plain\r\n'),
  post('a', '{"x":1,"bad":null,"device_time":"2026-11-20T09:00:00Z"}'),
  post('a', '{"x":null}'),
  post('a', '{}'),
  post('a', '[1]'),
  post('a', '{"x":'),
  raw('POST /api/telemetry/a HTTP/1.1', 'host: x\r\ncontent-length: 8', '\u00ff{"x":1}'),
  post('a', ''),
  post('latest', '{"x":1}'),
  post('count', '{"x":1}'),
  post('a', '{"device_time":"yesterday","x":1}'),
  post('a', `{"x":"${'t'.repeat(3000)}"}`),
  post('a', '{"x":1}', 'expect: 100-continue\r\n'),
  post('a', '{"x":1}', 'content-encoding: identity\r\n'),
  post('a', '{"x":1}', 'content-encoding: gzip\r\n'),
  raw(
    'POST /api/telemetry/a HTTP/1.1',
    'host: x\r\ntransfer-encoding: chunked',
    '7\r\n{"x":1}\r\n0\r\n\r\n',
  ),
  raw('GET /api/telemetry/latest HTTP/1.1', 'host: x'),
  raw('HEAD /api/telemetry/latest/r HTTP/1.1', 'host: x'),
  raw('GET /api/telemetry/r HTTP/1.1', 'host: x'),
  raw('DELETE /api/telemetry/a HTTP/1.1', 'host: x'),
  raw('GET /nothing HTTP/1.1', 'host: x'),
]

/** After these node:http closes the connection. */
const LAST_REQUESTS: readonly string[] = [
  get('r', 'connection: close\r\n'),
  get('r', 'proxy-connection: close\r\n'),
  get('r', 'host: y\r\n'),
  get('r', ' folded\r\n'),
  get('r', 'x-fold: a\r\n b\r\n'),
  get('r', 'x bad: a\r\n'),
  get('r', 'x-bare: a\nx-next: b\r\n'),
  get('r', 'x-null: \0\r\n'),
  get('r', 'x-high: \u00ff\r\n'),
  get('r').replaceAll('\r\n', '\n'),
  get('r').replace('host: x', 'accept: y'),
  get('r').replace('HTTP/1.1', 'HTTP/1.0'),
  get('r').replace('HTTP/1.1', 'HTTP/1.2'),
  get('r').replace('GET', 'get'),
  get('\u00e9'),
  post('a', '{"x":1}', 'content-length: 7\r\n'),
  post('a', '{"x":1}', 'content-length: 5\r\n'),
  post('a', '{"x":1}', 'transfer-encoding: chunked\r\n'),
  post('a', '{"x":1}', 'connection: upgrade\r\nupgrade: h2c\r\n'),
  raw('POST /api/telemetry/a HTTP/1.1', 'host: x\r\ncontent-length: +7', '{"x":1}'),
  raw('POST /api/telemetry/a HTTP/1.1', 'host: x\r\ncontent-length: 0x7', '{"x":1}'),
  raw('POST /api/telemetry/a HTTP/1.1', 'host: x\r\ncontent-length: 7, 7', '{"x":1}'),
  raw('POST /api/telemetry/a HTTP/1.1', 'host: x\r\ncontent-length:', '{"x":1}'),
  raw('POST /api/telemetry/a HTTP/1.1', 'host: x\r\ncontent-length: 99999999999', '{"x":1}'),
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  'garbage\r\n\r\n',
]

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

const BROKEN = /HTTP\/1\.1 4\d\d [\w ]+\r\nconnection: close\r\n[^]*"request_id":"-"\}$/

/** The last answer closes the connection. */
const CLOSED = /\r\nconnection: close\r\n(?:(?!HTTP\/1\.1 \d)[^])*$/i

/**
 * Where something follows that is no HTTP, node:http forgets what it has not answered by then,
 * stored or not; the lane answers first. Of two such conversations one is the other's beginning.
 * Behind an answer that closes the connection nothing counts (RFC 9112, 9.6): whether what is no
 * HTTP there is refused or not read any more depends on which is faster.
 */
async function same(lane: Door, plain: Door, pieces: readonly Buffer[]): Promise<void> {
  const [a, b] = (await Promise.all([lane.talk(pieces), plain.talk(pieces)])).map(comparable)
  const what = `${JSON.stringify(pieces.map(piece => piece.toString('latin1')))}\n${a}\n${b}`
  assert.match(b, /^HTTP\/1\.1 /, what)
  const ends = [BROKEN.exec(a)?.[0], BROKEN.exec(b)?.[0]]
  if (ends.every(end => end === undefined)) {
    assert.equal(a, b, what)
    return
  }
  const answers = [a.replace(BROKEN, ''), b.replace(BROKEN, '')]
  assert.ok(answers[0].startsWith(answers[1]) || answers[1].startsWith(answers[0]), what)
  if (ends[0] === undefined) assert.match(a, CLOSED, what)
  else if (ends[1] === undefined) assert.match(b, CLOSED, what)
  else assert.equal(ends[0], ends[1], what)
}

test('each request has the answer of node:http, alone and after one of the lane', () =>
  bothDoors(async (lane, plain) => {
    for (const request of [...REQUESTS, ...LAST_REQUESTS]) {
      await same(lane, plain, [bytesOf(request + BYE)])
      await same(lane, plain, [bytesOf(get('missing') + request + BYE)])
      await same(lane, plain, [bytesOf(get('missing')), bytesOf(request), bytesOf(BYE)])
    }
    assert.deepEqual([...new Set(lane.observed)].sort(), [...new Set(plain.observed)].sort())
  }))

test('a request that is split at any place has the same answer', () =>
  bothDoors(async (lane, plain) => {
    for (const request of [get('missing', 'accept: */*\r\n'), post('a', '{"x":1.5}')]) {
      for (let at = 1; at < request.length; at++) {
        const bytes = bytesOf(request + BYE)
        await same(lane, plain, [bytes.subarray(0, at), bytes.subarray(at)])
      }
    }
  }))

test('whatever is sent in whatever pieces has the same answers in the same order', async t => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const one = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...REQUESTS) },
    { weight: 2, arbitrary: fc.constantFrom(post('a', '{"x":2}'), get('missing'), get('other')) },
    { weight: 1, arbitrary: fc.constantFrom(...LAST_REQUESTS) },
  )
  const spoiled = fc.tuple(one, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
    const bytes = bytesOf(text)
    bytes[at % bytes.length] = byte
    return bytes.toString('latin1')
  })
  const conversation = fc.tuple(
    fc.array(fc.oneof({ weight: 5, arbitrary: one }, { weight: 1, arbitrary: spoiled }), {
      minLength: 1,
      maxLength: 8,
    }),
    fc.array(fc.nat(), { maxLength: 4 }),
  )
  const run = async ([requests, cuts]: [string[], number[]]): Promise<void> => {
    // Hosts of their own: what one conversation stores is not in the way of the next.
    await bothDoors(async (lane, plain) => {
      const bytes = bytesOf(requests.join('') + BYE)
      const places = [...new Set(cuts.map(cut => cut % bytes.length))].sort((a, b) => a - b)
      const pieces = [0, ...places].map((from, i) =>
        bytes.subarray(from, places[i] ?? bytes.length),
      )
      await same(
        lane,
        plain,
        pieces.filter(piece => piece.length > 0),
      )
    })
  }
  await fc.assert(fc.asyncProperty(conversation, run), { seed, numRuns: 150 })
})

/** Reads until `done` says so of all that came. */
async function readUntil(socket: Socket, done: (text: string) => boolean): Promise<string> {
  let text = ''
  socket.setEncoding('latin1')
  while (!done(text)) {
    const [chunk] = (await once(socket, 'data')) as [string]
    text += chunk
  }
  return text
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const count = (text: string, part: string): number => text.split(part).length - 1

/** Holds the log's appends until the returned function is called. */
function holdAppends(door: Door): () => void {
  let open = (): void => {}
  const held = new Promise<void>(resolve => (open = resolve))
  door.log.before = () => held
  return open
}

test('pipelined requests are answered in order while an append takes its time', () =>
  withLane(async door => {
    const open = holdAppends(door)
    const socket = await door.connect()
    socket.write(post('a', '{"x":1}') + get('missing') + post('b', '{"x":null}'))
    while (door.log.appends === 0) await turn()
    socket.write(
      post('c', '{"x":3}') + raw('GET /api/telemetry/latest/c HTTP/1.1', 'host: y\r\na: b') + BYE,
    )
    assert.equal(socket.bytesRead, 0)
    open()
    const answer = await readUntil(socket, text => text.includes('"status":"ok"'))
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => Number(match[1]))
    assert.deepEqual(statuses, [201, 404, 400, 201, 404, 200])
    assert.deepEqual(door.log.entries.length, 2)
  }))

test('many pipelined requests in one chunk are all answered', () =>
  withLane(async door => {
    const socket = await door.connect()
    const requests = Array.from({ length: 500 }, (_, i) => post(`d${i}`, `{"x":${i}}`))
    socket.write(requests.join(''))
    const answer = await readUntil(socket, text => text.includes('"x":499,'))
    const ids = [...answer.matchAll(/"device_id":"d(\d+)"/g)].map(match => Number(match[1]))
    assert.deepEqual(
      ids,
      Array.from({ length: 500 }, (_, i) => i),
    )
    assert.ok(door.log.appends < 100, `${door.log.appends} appends`)
    socket.destroy()
  }))

test('what the log says reaches the client with the time to come back', () =>
  bothDoors(
    async (lane, plain) => {
      for (const door of [lane, plain]) door.log.before = () => Promise.reject(new Error('broken'))
      await same(lane, plain, [bytesOf(post('a', '{"x":1}') + BYE)])
      assert.equal(lane.errors.length, 1)
      const errors = [
        new WeirError('retryable', 'the log is away', { retryAfterMs: 3000 }),
        new WeirError('retryable', 'the disk is full', { code: 'disk_full' }),
      ]
      for (const error of errors) {
        for (const door of [lane, plain]) door.log.before = () => Promise.reject(error)
        await same(lane, plain, [bytesOf(post('a', '{"x":1}') + BYE)])
      }
    },
    { ingest: { maxPendingBytes: 1 << 20 } },
  ))

test('past its bound of pending bytes the gate refuses through the lane too', () =>
  bothDoors((lane, plain) => same(lane, plain, [bytesOf(post('a', '{"x":1}') + BYE)]), {
    ingest: { maxPendingBytes: 0 },
  }))

test('bodies beyond the limit are refused by node:http', () =>
  bothDoors((lane, plain) => same(lane, plain, [bytesOf(post('a', '{"x":1.23456789}') + BYE)]), {
    limits: { maxBodyBytes: 10 },
  }))

test('a stop answers what was begun, says that it was the last, and does not wait for the idle', async () => {
  const door = await openDoor(true)
  const open = holdAppends(door)
  const [idle, busy] = [await door.connect(), await door.connect()]
  idle.write(get('missing'))
  await readUntil(idle, text => text.includes('request_id'))
  busy.write(post('a', '{"x":1}') + post('b', '{"x":2}'))
  while (door.log.appends === 0) await turn()
  const idleClosed = once(idle, 'close')
  const closed = door.app.close()
  await idleClosed
  const answered = readUntil(busy, text => text.includes('"x":2'))
  open()
  const answer = await answered
  assert.equal(count(answer, 'HTTP/1.1 201'), 2)
  assert.equal(count(answer, 'Connection: close'), 1)
  assert.match(answer, /Connection: close\r\n\r\n\{"device_id":"b"/)
  await closed
})

test('a client that does not read is not read either, and gets every answer later', () =>
  withLane(async door => {
    const accepted = once(door.app.server, 'connection')
    const socket = await door.connect()
    const [served] = (await accepted) as [Socket]
    socket.write(post('a', `{"x":"${'t'.repeat(30_000)}"}`))
    await once(socket, 'readable')
    const asked = 2000
    socket.write(get('a').repeat(asked))
    while (!served.isPaused()) await turn()
    // The bound, one joined answer, and what the connection had in hand.
    assert.ok(served.writableLength < 1 << 20, `${served.writableLength} bytes wait`)
    let answers = 0
    let rest = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      const all = rest + chunk
      answers += count(all, 'HTTP/1.1 2')
      rest = all.slice(-9)
    })
    socket.resume()
    while (answers < asked + 1) await turn()
    socket.destroy()
  }))

test('two thousand connections are served at once', () =>
  withLane(
    async door => {
      const sockets = await Promise.all(Array.from({ length: 2000 }, () => door.connect()))
      const answers = sockets.map(socket => readUntil(socket, text => text.includes('"x":')))
      sockets.forEach((socket, i) => socket.write(post(`d${i}`, `{"x":${i}}`)))
      const texts = await Promise.all(answers)
      texts.forEach((text, i) => assert.match(text, new RegExp(`"device_id":"d${i}"[^]*"x":${i},`)))
      for (const socket of sockets) socket.destroy()
    },
    { limits: { maxConnections: 3000 } },
  ))

test('a connection beyond the limit is not served', () =>
  withLane(
    async door => {
      const first = await door.connect()
      first.write(get('missing'))
      await readUntil(first, text => text.includes('404'))
      const second = await door.connect()
      await once(second, 'close')
      assert.equal(second.bytesRead, 0)
      first.destroy()
    },
    { limits: { maxConnections: 1 } },
  ))

test('the pages of other sites are refused in front of the lane too', async () => {
  const { access } = testServices().services
  const overrides = { access: { ...access, isForeign: foreignPages([]) } }
  await bothDoors(
    async (lane, plain) => {
      const foreign = [
        get('r', 'origin: https://evil.example\r\n'),
        post('foreign', '{"x":1}', 'Origin: null\r\n'),
        get('r').replace('host: x', 'host: evil.example'),
        get('r') + get('r').replace('host: x', 'host: evil.example'),
        get('r', 'origin: http://x\r\n'),
      ]
      const answers: (number | undefined)[][] = []
      for (const request of foreign) {
        const pieces = [bytesOf(request), bytesOf(BYE)]
        await same(lane, plain, pieces)
        const said = (await lane.talk(pieces)).match(/HTTP\/1\.1 (\d+)/g) ?? []
        answers.push(said.map(status => Number(status.slice(9))))
      }
      assert.deepEqual(answers, [
        [403, 200],
        [403, 200],
        [403, 200],
        [200, 403, 200],
        [200, 200],
      ])
    },
    { overrides },
  )
})
