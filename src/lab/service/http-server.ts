import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { WeirError } from '../../ports/errors.ts'
import { isTrusted } from './same-machine.ts'

const MAX_BODY_BYTES = 16_384

export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Asked {
  readonly query: URLSearchParams
  /** The body as JSON; undefined: there is none. */
  readonly body: unknown
}

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Query parameters that it knows. */
  readonly query?: readonly string[]
  handle(asked: Asked): Answer | Promise<Answer>
}

export interface HttpServerOptions {
  readonly routes: readonly Route[]
  /** Whether requests may name any host: where it listens beyond this machine. */
  readonly anyHost: boolean
  /** Told of errors that are no answer to a request. */
  readonly report: (line: string) => void
}

/** An answer that is an error, in the style of this API: `{error, status}`. */
class HttpError extends Error {
  override name = 'HttpError'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

export function json(status: number, value: unknown): Answer {
  return { status, contentType: 'application/json; charset=utf-8', body: JSON.stringify(value) }
}

export function createHttpServer(options: HttpServerOptions): Server {
  const server = createServer((request, response) => void serve(options, request, response))
  server.requestTimeout = 30_000
  return server
}

async function serve(
  options: HttpServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let answer: Answer
  try {
    answer = await answerTo(options, request)
  } catch (error) {
    // The client has gone before its body was here.
    if (request.destroyed && !request.complete) return
    answer = errorAnswer(error, options.report)
  }
  const { status, contentType, body, headers } = answer
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(body)
}

async function answerTo(options: HttpServerOptions, request: IncomingMessage): Promise<Answer> {
  if (!isTrusted(request, options)) {
    throw new HttpError(403, 'only programs and pages of this machine may ask (see --insecure)')
  }
  const route = routeOf(options.routes, request)
  const query = queryOf(request, route)
  const text = await bodyOf(request)
  return route.handle({ query, body: route.method === 'POST' ? parsed(text) : undefined })
}

function routeOf(routes: readonly Route[], { method = '', url = '' }: IncomingMessage): Route {
  const [path] = url.split('?', 1)
  const there = routes.filter(route => route.path === path)
  if (there.length === 0) throw new HttpError(404, `there is no ${path}`)
  const wanted = method === 'HEAD' ? 'GET' : method
  const route = there.find(known => known.method === wanted)
  if (route !== undefined) return route
  const allow = there.map(known => known.method).join(', ')
  throw new HttpError(405, `${path} takes ${allow}, not ${method}`, { allow })
}

function queryOf({ url = '' }: IncomingMessage, { query = [] }: Route): URLSearchParams {
  const params = new URLSearchParams(/\?(.*)$/s.exec(url)?.[1] ?? '')
  for (const name of params.keys()) {
    if (query.includes(name)) continue
    const known = query.length === 0 ? 'none is known here' : `known: ${query.join(', ')}`
    throw new HttpError(400, `no such query parameter: ${JSON.stringify(name)} (${known})`)
  }
  return params
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  // The default would take the connection down with the loop, and the answer with it.
  const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > MAX_BODY_BYTES) {
      request.resume()
      const message = `the body has more than ${MAX_BODY_BYTES} bytes`
      throw new HttpError(413, message, { connection: 'close' })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parsed(text: string): unknown {
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new HttpError(400, `the body is not JSON: ${(error as Error).message}`)
  }
}

const STATUS_OF_KIND: Partial<Record<WeirError['kind'], number>> = {
  ...{ rejected: 400, not_found: 404, conflict: 409, closed: 503 },
}

function errorAnswer(error: unknown, report: HttpServerOptions['report']): Answer {
  const { message } = error as Error
  const { status, headers = {} } =
    error instanceof HttpError
      ? error
      : { status: error instanceof WeirError ? (STATUS_OF_KIND[error.kind] ?? 500) : 500 }
  if (status === 500) report((error as Error).stack ?? message)
  const said = status === 500 && !(error instanceof WeirError) ? 'an error nobody foresaw' : message
  return { ...json(status, { error: said, status }), headers }
}
