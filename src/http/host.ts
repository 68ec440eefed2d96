import { randomUUID } from 'node:crypto'
import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TlsOptions } from 'node:tls'
import Fastify from 'fastify'
import type {
  FastifyError,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  FastifySchemaCompiler,
} from 'fastify'
import Type, { type TSchema } from 'typebox'
import type { HttpApp } from './app.ts'
import { accessOf, learnKey, limitHeaders } from './auth.ts'
import { takeBodies } from './body.ts'
import { drain } from './drain.ts'
import type { IsForeign } from '../kit/foreign-pages.ts'
import { bodyValidator } from './json-body.ts'
import { openLane, type Lane } from './lane/lane.ts'
import { loggableUrl } from './loggable-url.ts'
import type { DocumentedRoute } from './openapi.ts'
import { encodeProblem, HttpProblem, PROBLEM_TYPE } from './problem.ts'
import { queryValidator } from './query-params.ts'
import { givenRequestId, requestProblem } from './request-problem.ts'
import { allowedMethods } from './route-match.ts'
import { anomalyRoutes } from './routes/anomalies.ts'
import { capacityRoutes } from './routes/capacity.ts'
import { deviceRoutes } from './routes/devices.ts'
import { exportRoutes } from './routes/export.ts'
import { fleetRoutes } from './routes/fleet.ts'
import { keyRoutes } from './routes/keys.ts'
import { influxRoutes } from './routes/influx.ts'
import { importRoutes } from './routes/import.ts'
import { latestRoutes } from './routes/latest.ts'
import { liveRoutes } from './routes/live.ts'
import { productRoutes } from './routes/products.ts'
import { queryRoutes } from './routes/query.ts'
import { sensorRecordRoutes } from './routes/sensor-records.ts'
import { streamingAnalyticsRoutes } from './routes/streaming-analytics.ts'
import { streamingDeviceRoutes } from './routes/streaming-devices.ts'
import { streamingIngestRoutes } from './routes/streaming-ingest.ts'
import { streamingReadingRoutes } from './routes/streaming-readings.ts'
import { streamingSystemRoutes } from './routes/streaming-system.ts'
import { probeRoutes, systemRoutes } from './routes/system.ts'
import { telemetryRoutes } from './routes/telemetry.ts'
import { thingsboardRoutes } from './routes/thingsboard.ts'
import type { HostServices, HttpServices, ProbeServices } from './services.ts'

const FOREIGN =
  'where no key is asked for, web pages of other sites may not ask, nor anybody by a name that is ' +
  'not that of this machine; with keys (auth.mode: keys) who has one may'
const REQUEST_TIMEOUT_MS = 120_000
const KEEP_ALIVE_MS = 72_000
const CLOSE_IDLE_INTERVAL_MS = 50
/** Device ids have up to 256 bytes, each three characters when percent-encoded. */
const MAX_PARAM_CHARACTERS = 1024

/**
 * The HTTP door, not listening yet: the composition calls `listen` and, at a stop, `close`.
 *
 * A route file exports `xyzRoutes(app, services)` and declares with each route a `schema` (summary,
 * tags, params, querystring, body, `response: responses({200: …}, [404])`), from which come the
 * handler's types, the checks and the OpenAPI document:
 * - query parameters are checked and converted (`query-params.ts`), unknown ones are refused;
 * - a `body` is parsed from JSON and checked, unless `config.rawBody` lists media types: then the
 *   handler gets the unpacked `Buffer` and the schema is documentation only;
 * - answers are sent as they are (objects by `JSON.stringify`, or text made by hand with its content
 *   type); `response` is documentation, and the tests hold every answer against it;
 * - problems are thrown: `HttpProblem`, or a `WeirError` of the parts below.
 */
export function createHttpHost(services: HttpServices, tls?: TlsOptions): HttpApp {
  const { app, routes, nextId } = bareHost(services, tls)
  addRoutes(app, services)
  systemRoutes(app, services, routes)
  // The access log is Fastify's: who wants to see every request gets them all from there.
  const debug = services.logger.isLevelEnabled('debug')
  const lane = debug ? undefined : openLane(app, services, { nextId, keepAliveMs: KEEP_ALIVE_MS })
  finishHost(app, lane)
  return app
}

/** For a process without doors: `/health`, `/ready` and `/metrics`. */
export function createProbeHost(services: ProbeServices, tls?: TlsOptions): HttpApp {
  const { app } = bareHost(services, tls)
  probeRoutes(app, services)
  finishHost(app, undefined)
  return app
}

function finishHost(app: HttpApp, lane: Lane | undefined): void {
  app.decorate('drain', (timeoutMs: number) => {
    lane?.drain()
    return drain(app.server, timeoutMs)
  })
  closeIdleAtStop(app)
}

interface BareHost {
  readonly app: HttpApp
  /** Those that are added to it, for the document. */
  readonly routes: readonly DocumentedRoute[]
  /** A new request id. */
  readonly nextId: () => string
}

/** The host without routes. */
function bareHost(services: HostServices, tls: TlsOptions | undefined): BareHost {
  let requests = 0
  const started = services.clock.nowMs().toString(36)
  // A number would tell each tenant how many requests the others make.
  const nextId = (): string =>
    services.access.open === undefined ? randomUUID() : `${started}-${(requests++).toString(36)}`
  const app: HttpApp = Fastify({
    logger: false,
    ...(tls === undefined ? {} : { https: tls }),
    bodyLimit: services.limits.maxBodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_CHARACTERS },
    genReqId: raw => givenRequestId((raw as IncomingMessage).headers['x-request-id']) ?? nextId(),
    clientErrorHandler,
    frameworkErrors(error, request, reply) {
      services.observeRequest({ method: request.method, route: 'unmatched', status: 400 }, 0)
      sendError(services, error, { request, reply })
    },
  }) as unknown as HttpApp
  app.server.maxConnections = services.limits.maxConnections
  grantAccess(app, services)
  app.setValidatorCompiler(compileValidator)
  takeBodies(app, services.limits)

  const routes: DocumentedRoute[] = []
  app.addHook('onRoute', route => {
    const methods = [route.method].flat()
    const { schema = {}, config } = route
    if (methods.some(method => method !== 'HEAD')) {
      const head = route.exposeHeadRoute !== false
      const { rawBody, scope } = config ?? {}
      routes.push({ method: methods[0], url: route.url, schema, rawBody, scope, head })
    }
    route.schema = checkedParts(schema, config)
    const observe = (_request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
      const answered = { method: methods[0], route: route.url, status: reply.statusCode }
      services.observeRequest(answered, reply.elapsedTime / 1000)
      done()
    }
    route.onResponse = [observe]
  })
  const debug = services.logger.isLevelEnabled('debug')
  if (debug) app.addHook('onResponse', logAccess(services))
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendError(services, error, { request, reply }),
  )
  app.setNotFoundHandler((request, reply) => {
    const allowed = allowedMethods(routes, request.url)
    const problem =
      allowed.length === 0
        ? new HttpProblem(404, 'there is nothing at this address; /docs lists what there is')
        : new HttpProblem(405, `use ${allowed.join(' or ')} here`, {
            headers: { allow: allowed.join(', ') },
          })
    const answered = { method: request.method, route: 'unmatched', status: problem.status }
    services.observeRequest(answered, reply.elapsedTime / 1000)
    return sendError(services, problem, { request, reply })
  })
  return { app, routes, nextId }
}

/** Says of every request what it may do, before its body is read. */
function grantAccess(app: HttpApp, services: HostServices): void {
  const { open, isForeign } = services.access
  app.decorateRequest('tenant', {
    getter() {
      return (this as FastifyRequest).access.tenant
    },
  })
  if (open !== undefined) {
    app.decorateRequest('access', { getter: () => open })
    if (isForeign !== undefined) app.addHook('onRequest', refuseForeign(isForeign))
    return
  }
  app.decorateRequest('access')
  app.addHook('onRequest', (request, reply, done) => {
    const { scope } = request.routeOptions.config
    if (scope === 'none' || request.is404) return done()
    const grant = (): void => {
      request.access = accessOf(services, request)
      const states = services.access.limits.states(request.access)
      if (states.length > 0) reply.headers(limitHeaders(states))
    }
    try {
      grant()
    } catch (error) {
      const learned = learnKey(services, request, error)
      if (learned === undefined) done(error as Error)
      else void learned.then(grant).then(() => done(), done)
      return
    }
    done()
  })
}

/** What no key keeps out: the pages of other sites, open in a browser that reaches this machine. */
function refuseForeign(isForeign: IsForeign) {
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    const { headers, routeOptions } = request
    const isFree = routeOptions.config.scope === 'none' || request.is404
    if (isFree || !isForeign(headers)) done()
    else done(new HttpProblem(403, FOREIGN))
  }
}

/** The streaming platform API, one file a resource. */
function streamingRoutes(app: HttpApp, services: HttpServices): void {
  streamingIngestRoutes(app, services)
  streamingReadingRoutes(app, services)
  streamingDeviceRoutes(app, services)
  streamingAnalyticsRoutes(app, services)
  streamingSystemRoutes(app, services)
}

function addRoutes(app: HttpApp, services: HttpServices): void {
  telemetryRoutes(app, services)
  fleetRoutes(app, services)
  deviceRoutes(app, services)
  keyRoutes(app, services)
  productRoutes(app, services)
  latestRoutes(app, services)
  queryRoutes(app, services)
  anomalyRoutes(app, services)
  liveRoutes(app, services)
  exportRoutes(app, services)
  importRoutes(app, services)
  capacityRoutes(app, services)
  influxRoutes(app, services)
  thingsboardRoutes(app, services)
  streamingRoutes(app, services)
  sensorRecordRoutes(app, services)
}

/**
 * A stop closes the connections that are idle at that moment. Those with a request under way become
 * idle after its answer, and a client that keeps them open would hold up the stop until its end.
 */
function closeIdleAtStop(app: HttpApp): void {
  app.addHook('preClose', done => {
    const timer = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_INTERVAL_MS)
    app.server.once('close', () => clearInterval(timer))
    timer.unref()
    done()
  })
}

/** What of a route's schema is checked at run time; the rest is for the document. */
function checkedParts(
  schema: FastifySchema,
  config: { rawBody?: readonly string[]; anyQuery?: boolean } | undefined,
): FastifySchema {
  const checked: FastifySchema = {}
  if (config?.anyQuery !== true) checked.querystring = schema.querystring ?? Type.Object({})
  if (schema.body !== undefined && config?.rawBody === undefined) checked.body = schema.body
  return checked
}

const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) =>
  httpPart === 'body' ? bodyValidator(schema) : queryValidator(schema)

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

function sendError(services: HostServices, error: unknown, { request, reply }: Exchange): void {
  const { id, method, url } = request
  const asked = { id, method, url: loggableUrl(url) }
  const problem = requestProblem(services.logger, error, asked)
  void reply
    .code(problem.status)
    .headers({ ...problem.options.headers, 'x-request-id': id })
    .header('content-type', PROBLEM_TYPE)
    .send(encodeProblem(problem, id))
}

function logAccess({ logger }: HostServices) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const { id, method, url, ip } = request
    const { statusCode: status, elapsedTime: ms } = reply
    const fields = { request: id, method, url: loggableUrl(url), ip, status, ms }
    logger.debug(fields, 'request')
    done()
  }
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'the header fields are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request took too long to arrive'],
}

/** What arrived is no HTTP: there is no request to reply to, only the socket. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, detail] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'the request is not HTTP/1.1']
  const problem = new HttpProblem(status, detail)
  const body = encodeProblem(problem, '-')
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}`
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
