import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { HttpApp } from '../app.ts'
import { LATEST_ROUTE, latestRecord, RECORD_ROUTE, storeRecord } from '../fleet-requests.ts'
import { reaches, type Access, type Scope } from '../../model/access.ts'
import { givenRequestId, requestProblem } from '../request-problem.ts'
import type { HttpServices } from '../services.ts'
import { createAnswers } from './answer.ts'
import { LaneConnection } from './connection.ts'
import { RequestReader } from './request-reader.ts'

export interface LaneOptions {
  /** A new request id. */
  readonly nextId: () => string
  readonly keepAliveMs: number
}

export interface Lane {
  /** From now on it answers nothing: each connection goes to node:http with its next request. */
  drain(): void
}

const FOUND = { method: 'GET', route: LATEST_ROUTE, status: 200 } as const
const CREATED = { method: 'POST', route: RECORD_ROUTE, status: 201 } as const

type OnConnection = (this: Server, socket: Socket) => void

/**
 * Puts a lane for the two hottest requests in front of node:http: `GET /api/telemetry/latest/{id}`
 * and `POST /api/telemetry/{id}`, whole and plain, are answered from the bytes of the socket.
 * Anything else, and all that follows on that connection, is node:http's (docs/decisions/0012).
 */
export function openLane(app: HttpApp, services: HttpServices, options: LaneOptions): Lane {
  const { server } = app
  // With TLS, node:http waits for the handshake; before it there is nothing to read.
  const event = server instanceof TlsServer ? 'secureConnection' : 'connection'
  const others = server.listeners(event) as OnConnection[]
  const open = new Set<LaneConnection>()
  let closing = false
  let draining = false
  const serve = laneServer(services, options)
  const toHttp = (socket: Socket): void => {
    for (const listener of others) listener.call(server, socket)
  }
  const connection = {
    keepAliveMs: options.keepAliveMs,
    // Last answers are node:http's to give.
    serve: (one: LaneConnection, bytes: Buffer, at: number) =>
      draining ? -1 : serve(one, bytes, at),
    handOver(socket: Socket, bytes: Buffer) {
      // What the stream has buffered follows at the next tick, what the handle reads after that.
      socket.resume()
      toHttp(socket)
      socket.emit('data', bytes)
    },
    onGone: (gone: LaneConnection) => void open.delete(gone),
  }
  server.removeAllListeners(event)
  server.on(event, (socket: Socket) => {
    if (closing) toHttp(socket)
    else open.add(new LaneConnection(socket, connection))
  })
  app.addHook('preClose', done => {
    closing = true
    for (const one of open) one.close()
    done()
  })
  return { drain: () => void (draining = true) }
}

interface Served {
  readonly method: string
  readonly route: string
  readonly path: string
  readonly scope: Scope
  readonly success: typeof FOUND | typeof CREATED
}

const LATEST: Served = {
  ...{ method: 'GET', route: LATEST_ROUTE, path: '/api/telemetry/latest/' },
  ...{ scope: 'read', success: FOUND },
}
const RECORD: Served = {
  ...{ method: 'POST', route: RECORD_ROUTE, path: '/api/telemetry/' },
  ...{ scope: 'ingest', success: CREATED },
}

interface Asked {
  readonly of: Served
  readonly access: Access
  readonly id: string
  /** As sent; undefined where there was none. */
  readonly requestId: string | undefined
  readonly startedMs: number
}

interface Presented {
  readonly connection: LaneConnection
  readonly bytes: Buffer
  /** Has read the request in `bytes`. */
  readonly reader: RequestReader
  readonly of: Served
  readonly id: string
}

/** What the key of a request allows; undefined where it does not allow the request. */
function verified(access: HttpServices['access'], presented: Presented): Access | undefined {
  const { connection, bytes, reader, of, id } = presented
  const { keyStart, keyEnd } = reader
  if (keyStart === 0) return undefined
  const found = access.verify(connection.key.read(bytes, keyStart, keyEnd))
  if (found === undefined || !found.scopes.includes(of.scope)) return undefined
  if (!reaches(found, id)) return undefined
  return access.limits.take(found, of === RECORD) === undefined ? found : undefined
}

/** Answers one request; see `ConnectionOptions.serve`. */
function laneServer(services: HttpServices, { nextId, keepAliveMs }: LaneOptions) {
  const { limits, access, logger } = services
  const reader = new RequestReader(Math.min(limits.maxBodyBytes, limits.maxBufferedBytes))
  const answers = createAnswers(keepAliveMs)

  const succeeded = (json: string, { of, startedMs }: Asked, last: boolean): string => {
    services.observeRequest(of.success, (performance.now() - startedMs) / 1000)
    return answers.success(of.success.status, json, last)
  }
  const failed = (
    error: unknown,
    { of, id, requestId, startedMs }: Asked,
    last: boolean,
  ): string => {
    const request = givenRequestId(requestId) ?? nextId()
    const asked = { id: request, method: of.method, url: of.path + id }
    const problem = requestProblem(logger, error, asked)
    const answered = { method: of.method, route: of.route, status: problem.status }
    services.observeRequest(answered, (performance.now() - startedMs) / 1000)
    return answers.problem(problem, request, last)
  }
  const latest = (connection: LaneConnection, asked: Asked): void => {
    try {
      const json = latestRecord(services, asked.access.tenant, asked.id)
      if (typeof json === 'string') connection.put(succeeded(json, asked, false))
      else later(connection, asked, json)
    } catch (error) {
      connection.put(failed(error, asked, false))
    }
  }
  const record = (connection: LaneConnection, asked: Asked, body: Buffer): void => {
    try {
      later(connection, asked, storeRecord(services, asked.access, { id: asked.id, body }))
    } catch (error) {
      connection.put(failed(error, asked, false))
    }
  }
  const later = (connection: LaneConnection, asked: Asked, answer: Promise<string>): void => {
    const slot = connection.wait()
    answer.then(
      json => connection.settle(slot, succeeded(json, asked, connection.isLast(slot))),
      (error: unknown) => connection.settle(slot, failed(error, asked, connection.isLast(slot))),
    )
  }
  return (connection: LaneConnection, bytes: Buffer, at: number): number => {
    if (!reader.read(bytes, at)) return -1
    const { isPost, idStart, idEnd, bodyStart, end, requestIdStart, requestIdEnd } = reader
    const { isForeign } = access
    if (isForeign !== undefined) {
      const host = connection.host.read(bytes, reader.hostStart, reader.hostEnd)
      if (isForeign({ host })) return -1
    }
    const of = isPost ? RECORD : LATEST
    const id = bytes.toString('latin1', idStart, idEnd)
    const allowed = access.open ?? verified(access, { connection, bytes, reader, of, id })
    // What the key does not allow is refused where everything is refused.
    if (allowed === undefined) return -1
    const asked = {
      ...{ of, id, access: allowed },
      requestId:
        requestIdStart === 0 ? undefined : bytes.toString('latin1', requestIdStart, requestIdEnd),
      startedMs: performance.now(),
    }
    if (isPost) record(connection, asked, bytes.subarray(bodyStart, end))
    else latest(connection, asked)
    return end
  }
}
