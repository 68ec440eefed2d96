import type { Socket } from 'node:net'
import { responseParser } from '../../src/lab/generator/response-parser.ts'
import { openSocket } from '../../src/lab/generator/socket.ts'
import type { RequestSource } from './request.ts'
import type { Tally } from './tally.ts'

export interface HttpLoadOptions {
  readonly port: number
  readonly connections: number
  /** Each connection's requests. */
  readonly source: (connection: number) => RequestSource
  readonly tally: Tally
  /** Requests a second over all connections; absent: each sends when its answer is there. */
  readonly requestsPerSecond?: number
}

export interface RunningLoad {
  /** Resolves when no connection has a request left to send. */
  readonly exhausted: Promise<void>
  /** No further requests; resolves with the points sent when the answers are there, or late. */
  stop(): Promise<number>
}

const DRAIN_MS = 15_000

interface Shared {
  stopping: boolean
  sentPoints: number
  /** Connections with a request in flight, and those that have requests left. */
  busy: number
  unfinished: number
  idle: () => void
  finish: () => void
}

/**
 * Closed loop over raw sockets: each connection has one request in flight, its bytes are built
 * before, of the answer only the status is looked at. With a rate, a request is sent at its time,
 * or as soon as its connection is free, and its latency counts from its time.
 */
export async function startHttpLoad(options: HttpLoadOptions): Promise<RunningLoad> {
  const { promise: exhausted, resolve: finish } = Promise.withResolvers<void>()
  const shared: Shared = {
    ...{ stopping: false, sentPoints: 0, busy: 0, unfinished: options.connections },
    ...{ idle: () => {}, finish },
  }
  const opened: Promise<Connection>[] = []
  for (let c = 0; c < options.connections; c++) opened.push(open(options, c, shared))
  const connections = await Promise.all(opened)
  for (const connection of connections) connection.begin()
  return {
    exhausted,
    async stop() {
      shared.stopping = true
      if (shared.busy > 0) {
        const late = setTimeout(() => shared.idle(), DRAIN_MS)
        await new Promise<void>(resolve => (shared.idle = resolve))
        clearTimeout(late)
      }
      for (const { socket } of connections) socket.destroy()
      return shared.sentPoints
    },
  }
}

interface Connection {
  readonly socket: Socket
  begin(): void
}

async function open(options: HttpLoadOptions, index: number, shared: Shared): Promise<Connection> {
  const { tally, connections, requestsPerSecond } = options
  const periodMs =
    requestsPerSecond === undefined ? undefined : (1000 * connections) / requestsPerSecond
  const source = options.source(index)
  let sentAt = 0
  let inFlight = false
  let dueMs = 0

  const send = (): void => {
    if (shared.stopping) return
    const bytes = source.next()
    if (bytes === undefined) {
      if (--shared.unfinished === 0) shared.finish()
      return
    }
    shared.sentPoints += source.points
    inFlight = true
    shared.busy++
    sentAt = periodMs === undefined ? performance.now() : dueMs
    socket.write(bytes)
  }

  const sendWhenDue = (): void => {
    if (periodMs === undefined) return send()
    dueMs += periodMs
    const wait = dueMs - performance.now()
    if (wait < 1) send()
    else setTimeout(send, wait)
  }

  const settled = (): void => {
    inFlight = false
    if (--shared.busy === 0 && shared.stopping) shared.idle()
  }

  const parser = responseParser(status => {
    if (!inFlight) return tally.failure('an answer without a request')
    if (status < 300) tally.answer(source.points, performance.now() - sentAt)
    else tally.failure(`status ${status}`)
    settled()
    sendWhenDue()
  })

  const socket = await connected(options.port, bytes => {
    if (!parser.feed(bytes, 0, bytes.length)) socket.destroy(new Error('an answer is not HTTP'))
  })
  const lost = (what: string): void => {
    if (!inFlight && shared.stopping) return
    tally.failure(what)
    if (inFlight) settled()
  }
  socket.on('error', error => lost(error.message))
  socket.on('end', () => lost('the server closed the connection'))
  const begin = (): void => {
    // Spread over one period, so that a rate does not come in bursts.
    if (periodMs !== undefined) dueMs = performance.now() + (index / connections - 1) * periodMs
    sendWhenDue()
  }
  return { begin, socket }
}

/** A connection to a local port; the bytes handed to `receive` are valid during the call only. */
export function connected(port: number, receive: (bytes: Uint8Array) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const address = { host: '127.0.0.1', port }
    const socket = openSocket(address, (bytes, length) => receive(bytes.subarray(0, length)))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
