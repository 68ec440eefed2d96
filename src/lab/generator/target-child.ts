/** The server that the tests of the instrument load: what it is to do comes as an argument. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TargetBehaviour, TargetReport } from './target.fixture.ts'

const behaviour = JSON.parse(process.argv[2]) as TargetBehaviour
const report = {
  ...{ requests: 0, broken: 0, connections: 0, mostAtOnce: 0 },
  seen: [] as string[],
} satisfies Record<keyof Omit<TargetReport, 'held'>, unknown>
const held = new Set<string>()
let points = 0
let atOnce = 0
/** When what is done one after the other is done. */
let freeAtMs = 0

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (text: string) => (body += text))
  request.on('end', () => handle(request, response, body))
})
server.keepAliveTimeout = 60_000
server.on('connection', () => report.connections++)
server.listen(0, '127.0.0.1', () => {
  process.send!((server.address() as { port: number }).port)
})
process.on('message', () => process.send!({ ...report, held: held.size }))
process.on('disconnect', () => process.exit(0))

function handle(request: IncomingMessage, response: ServerResponse, body: string): void {
  report.requests++
  report.mostAtOnce = Math.max(report.mostAtOnce, ++atOnce)
  const { isMute, garbage, breakEvery = Infinity, serialMs, delayMs = 0 } = behaviour
  const { socket } = request
  if (report.seen.length < 2000)
    report.seen.push(`${socket.remotePort} ${request.method} ${request.url} ${body}`)
  if (isMute === true) return
  if (report.requests % breakEvery === 0) return breakOff(socket)
  if (garbage !== undefined) return void socket.end(garbage)
  const nowMs = performance.now()
  if (serialMs !== undefined) freeAtMs = Math.max(nowMs, freeAtMs) + serialMs
  const waitMs = serialMs === undefined ? delayMs : freeAtMs - nowMs
  if (waitMs === 0) answer(request, response, body)
  else setTimeout(() => answer(request, response, body), waitMs)
}

function breakOff(socket: Socket): void {
  report.broken++
  atOnce--
  socket.destroy()
}

function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  atOnce--
  const { status = 200, closesEvery = Infinity, isChunked } = behaviour
  keep(request.url!, body)
  response.statusCode = status
  if (report.requests % closesEvery === 0) response.setHeader('Connection', 'close')
  if (isChunked === true) response.write('{"a":')
  response.end(isChunked === true ? '1}' : '{}')
}

/** The points of the request, each once; with `loseEvery`, some of those that are acknowledged are not. */
function keep(url: string, body: string): void {
  if (body === '') return
  const { at, ...values } = JSON.parse(body) as Record<string, unknown>
  for (const name of Object.keys(values)) {
    if (++points % (behaviour.loseEvery ?? Infinity) !== 0) held.add(`${url} ${at} ${name}`)
  }
}
