import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { HttpApp } from '../app.ts'
import {
  LATEST_ROUTE,
  latestRecord,
  noTelemetry,
  RECORD_ROUTE,
  storeRecord,
} from '../fleet-requests.ts'
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

const FOUND = { method: 'GET', route: LATEST_ROUTE, status: 200 }
const CREATED = { method: 'POST', route: RECORD_ROUTE, status: 201 }

type OnConnection = (this: Server, socket: Socket) => void

/**
 * Puts a lane for the two hottest requests in front of node:http: `GET /api/telemetry/latest/{id}`
 * and `POST /api/telemetry/{id}`, whole and plain, are answered from the bytes of the socket.
 * Anything else, and all that follows on that connection, is node:http's (docs/decisions/0012).
 */
export function openLane(app: HttpApp, services: HttpServices, options: LaneOptions): void {
  const { server } = app
  // With TLS, node:http waits for the handshake; before it there is nothing to read.
  const event = server instanceof TlsServer ? 'secureConnection' : 'connection'
  const others = server.listeners(event) as OnConnection[]
  const open = new Set<LaneConnection>()
  let closing = false
  const toHttp = (socket: Socket): void => {
    for (const listener of others) listener.call(server, socket)
  }
  const connection = {
    keepAliveMs: options.keepAliveMs,
    serve: laneServer(services, options),
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
}

const LATEST = {
  ...{ method: 'GET', route: LATEST_ROUTE, path: '/api/telemetry/latest/' },
  scope: 'read' as Scope,
}
const RECORD: typeof LATEST = {
  ...{ method: 'POST', route: RECORD_ROUTE, path: '/api/telemetry/' },
  scope: 'ingest',
}

interface Asked {
  readonly of: typeof LATEST
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
  readonly of: typeof LATEST
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
  const { limits, access, table, logger } = services
  const reader = new RequestReader(Math.min(limits.maxBodyBytes, limits.maxBufferedBytes))
  const answers = createAnswers(keepAliveMs)

  const stored = (json: string, { startedMs }: Asked, last: boolean): string => {
    services.observeRequest(CREATED, (performance.now() - startedMs) / 1000)
    return answers.success(201, json, last)
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
  const latest = (asked: Asked): string => {
    try {
      const device = table.findDevice(asked.access.tenant, asked.id)
      if (device === undefined) throw noTelemetry(asked.id)
      const json = latestRecord(services, device)
      services.observeRequest(FOUND, (performance.now() - asked.startedMs) / 1000)
      return answers.success(200, json, false)
    } catch (error) {
      return failed(error, asked, false)
    }
  }
  const record = (connection: LaneConnection, asked: Asked, body: Buffer): void => {
    const slot = connection.wait()
    const refuse = (error: unknown): void =>
      connection.settle(slot, failed(error, asked, connection.isLast(slot)))
    try {
      storeRecord(services, asked.access, { id: asked.id, body }).then(
        json => connection.settle(slot, stored(json, asked, connection.isLast(slot))),
        refuse,
      )
    } catch (error) {
      refuse(error)
    }
  }
  return (connection: LaneConnection, bytes: Buffer, at: number): number => {
    if (!reader.read(bytes, at)) return -1
    const { isPost, idStart, idEnd, bodyStart, end, requestIdStart, requestIdEnd } = reader
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
    else connection.put(latest(asked))
    return end
  }
}
