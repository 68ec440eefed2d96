import type { IncomingMessage } from 'node:http'
import { createGunzip, gunzipSync, type Gunzip } from 'node:zlib'
import type { FastifyContentTypeParser } from 'fastify'
import { createBudget, type Budget } from './budget.ts'
import type { HttpApp } from './app.ts'
import { HttpProblem } from './problem.ts'
import type { HttpLimits } from './services.ts'

/** Packed bodies up to this are unpacked at once: a trip to another thread would cost more. */
const SYNC_GZIP_BYTES = 16 * 1024
const SYNC_OUTPUT_BYTES = 256 * 1024
/** Of a body that is too large, so much is read and dropped, so that the client sees the answer. */
const DRAIN_BYTES = 256 * 1024 * 1024

const NAMED_TYPES = [
  'application/json',
  'application/x-ndjson',
  'application/octet-stream',
  'text/plain',
  'application/x-www-form-urlencoded',
]

type Done = (error: Error | null, body?: Buffer) => void

interface BodyContext {
  readonly limits: HttpLimits
  readonly budget: Budget
}

/** Every body arrives at its route as one unpacked `Buffer`, whatever its content type. */
export function takeBodies(app: HttpApp, limits: HttpLimits): void {
  const context: BodyContext = { limits, budget: createBudget(limits.maxBufferedBytes) }
  app.removeAllContentTypeParsers()
  const parse: FastifyContentTypeParser = (request, payload, done) => {
    if (request.routeOptions.config.streamBody === true) {
      done(null, payload)
      return
    }
    readBody(payload, request.headers['content-encoding'], { ...context, done })
  }
  app.addContentTypeParser('*', parse)
  // Fastify remembers which parser a type has only where it is named.
  app.addContentTypeParser(NAMED_TYPES, parse)
}

function readBody(
  payload: IncomingMessage,
  encoding: string | undefined,
  context: BodyContext & { done: Done },
): void {
  const { limits, done } = context
  const length = Number(payload.headers['content-length'] ?? 0)
  const packed = encoding !== undefined && encoding !== 'identity' && encoding !== ''
  if (packed && encoding !== 'gzip' && encoding !== 'x-gzip') {
    const detail = `content-encoding ${encoding} is not known; send gzip or nothing`
    const problem = new HttpProblem(415, detail, { headers: { 'accept-encoding': 'gzip' } })
    dropRest(payload, length, () => done(problem))
  } else if (length > limits.maxBodyBytes) {
    dropRest(payload, length, () => done(tooLarge(limits)))
  } else if (!packed) collect(payload, context, done)
  else if (length > 0 && length <= SYNC_GZIP_BYTES) {
    collect(payload, context, (error, body) => {
      if (error !== null || body === undefined) done(error)
      else unpackSmall(body, context)
    })
  } else unpackStream(payload, context)
}

/** Reads the payload into one buffer, within the limit of one body and the budget of all. */
function collect(payload: IncomingMessage, { limits, budget }: BodyContext, done: Done): void {
  let chunks: Buffer[] = []
  let bytes = 0
  let settled = false
  let refusal: HttpProblem | null = null
  const settle = (error: Error | null): void => {
    if (settled) return
    settled = true
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes)
    chunks = []
    try {
      // The handler decodes within this call; what it keeps is bounded by the gate.
      if (error === null) done(null, body)
      else done(error)
    } finally {
      budget.give(bytes)
      bytes = 0
    }
  }
  const refuse = (problem: HttpProblem): void => {
    refusal = problem
    payload.off('data', onData)
    chunks = []
    budget.give(bytes)
    bytes = 0
    dropRest(payload, 0, () => settle(problem))
  }
  const onData = (chunk: Buffer): void => {
    if (bytes + chunk.length > limits.maxBodyBytes) refuse(tooLarge(limits))
    else if (!budget.take(chunk.length, bytes)) refuse(noRoom(limits))
    else {
      bytes += chunk.length
      chunks.push(chunk)
    }
  }
  payload.on('data', onData)
  payload.on('end', () => settle(refusal))
  payload.on('error', error => settle(broken(error)))
}

function unpackSmall(body: Buffer, context: BodyContext & { done: Done }): void {
  try {
    context.done(null, gunzipSync(body, { maxOutputLength: SYNC_OUTPUT_BYTES }))
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') {
      gather(createGunzip({ chunkSize: 65_536 }), context, context.done).end(body)
    } else context.done(badGzip(error as Error))
  }
}

function unpackStream(payload: IncomingMessage, context: BodyContext & { done: Done }): void {
  const { limits, done } = context
  let received = 0
  const stop = (problem: Error | null, body?: Buffer): void => {
    if (problem === null) {
      done(null, body)
      return
    }
    payload.unpipe(gunzip)
    gunzip.destroy()
    dropRest(payload, 0, () => done(problem))
  }
  const gunzip = gather(createGunzip({ chunkSize: 65_536 }), context, stop)
  payload.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (received > limits.maxBodyBytes) gunzip.destroy(tooLarge(limits))
  })
  payload.on('error', error => gunzip.destroy(broken(error)))
  payload.pipe(gunzip)
}

/** Gathers what comes out, stopping at the bound: the rest of a bomb is never unpacked. */
function gather(gunzip: Gunzip, { limits, budget }: BodyContext, done: Done): Gunzip {
  let chunks: Buffer[] = []
  let bytes = 0
  let settled = false
  const settle = (error: Error | null): void => {
    if (settled) return
    settled = true
    const body = error === null ? Buffer.concat(chunks, bytes) : undefined
    chunks = []
    try {
      if (body === undefined) done(error)
      else done(null, body)
    } finally {
      budget.give(bytes)
    }
  }
  gunzip.on('data', (chunk: Buffer) => {
    if (settled) return
    if (bytes + chunk.length > limits.maxDecompressedBytes) gunzip.destroy(tooLong(limits))
    else if (!budget.take(chunk.length, bytes)) gunzip.destroy(noRoom(limits))
    else {
      bytes += chunk.length
      chunks.push(chunk)
    }
  })
  gunzip.on('end', () => settle(null))
  gunzip.on('error', error => settle(error instanceof HttpProblem ? error : badGzip(error)))
  return gunzip
}

/**
 * Reads on and drops what comes, so that the client has sent its body and reads the answer instead
 * of a reset connection. A body beyond the bound is not waited for; `expected` is its length, 0 where
 * that is not known.
 */
export function dropRest(payload: IncomingMessage, expected: number, done: () => void): void {
  let dropped = 0
  let settled = false
  const settle = (): void => {
    if (settled) return
    settled = true
    payload.off('data', onData)
    done()
  }
  const onData = (chunk: Buffer): void => {
    dropped += chunk.length
    if (dropped > DRAIN_BYTES) settle()
  }
  if (expected > DRAIN_BYTES || payload.readableEnded || payload.destroyed) {
    settle()
    return
  }
  payload.on('data', onData)
  payload.on('end', settle)
  payload.on('error', settle)
  payload.resume()
}

function tooLarge({ maxBodyBytes }: HttpLimits): HttpProblem {
  const detail = `the body is larger than ${maxBodyBytes} bytes`
  return new HttpProblem(413, detail, { limit: 'ingest.maxBodyBytes' })
}

function tooLong({ maxDecompressedBytes }: HttpLimits): HttpProblem {
  const detail = `the body is larger than ${maxDecompressedBytes} bytes once unpacked`
  return new HttpProblem(413, detail, { limit: 'ingest.maxDecompressedBytes' })
}

function noRoom({ maxBufferedBytes }: HttpLimits): HttpProblem {
  const detail = `the requests being received have more than ${maxBufferedBytes} bytes`
  return new HttpProblem(503, detail, {
    limit: 'http.maxBufferedBytes',
    headers: { 'retry-after': '1' },
  })
}

function badGzip(error: Error): HttpProblem {
  const truncated = error.message === 'unexpected end of file'
  return new HttpProblem(
    400,
    truncated ? 'the gzip body is truncated' : `the body is not gzip: ${error.message}`,
  )
}

function broken(error: Error): HttpProblem {
  return new HttpProblem(400, `the body did not arrive: ${error.message}`)
}
