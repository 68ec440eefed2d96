import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { MAX_TIME_US } from '../../model/time.ts'
import type { Format } from '../../transfer/format.ts'
import type { HttpApp } from '../app.ts'
import { mustReachAll } from '../auth.ts'
import { foundOrRefreshed } from '../known.ts'
import { responses } from '../openapi.ts'
import { badParameter, notFound } from '../problem.ts'
import { timeParameter } from '../query-params.ts'
import type { HttpServices } from '../services.ts'

/** A client that takes nothing for so long is cut: it holds one of few slots. */
const STALL_MS = 120_000
const PIECE_BYTES = 64 * 1024

const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  csv: 'text/csv; charset=utf-8; header=present',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
}

const schema = {
  tags: ['telemetry'],
  summary: 'Export points as CSV, NDJSON or Parquet',
  description:
    'All points of all devices, or of those that fit, as a stream of unknown length. When it fails ' +
    'on its way the connection is cut: a file that did not end well is not whole.',
  querystring: Type.Object({
    format: Type.Enum(['csv', 'ndjson', 'parquet'], { default: 'csv' }),
    layout: Type.Enum(['long', 'wide'], {
      default: 'long',
      description: 'long: a row a point. wide: a row a time of a device, a column a metric (CSV)',
    }),
    device_id: Type.Optional(Type.Array(Type.String())),
    metric: Type.Optional(Type.Array(Type.String())),
    site: Type.Optional(Type.String()),
    product: Type.Optional(Type.String()),
    start: Type.Optional(Type.String({ description: 'The first time' })),
    end: Type.Optional(Type.String({ description: 'The time before which it ends' })),
    time: Type.Enum(['iso', 'us', 'ms', 's'], {
      default: 'iso',
      description: 'How times are written: ISO 8601, or a number since 1970 (CSV and NDJSON)',
    }),
    compression: Type.Optional(
      Type.Enum(['none', 'gzip'], {
        description: 'gzip: the file itself is packed. Without it, Accept-Encoding decides',
      }),
    ),
  }),
  response: responses(
    {
      200: {
        content: {
          'text/csv': { schema: Type.String() },
          'application/x-ndjson': { schema: Type.String() },
          'application/vnd.apache.parquet': { schema: Type.String({ format: 'binary' }) },
          'application/gzip': { schema: Type.String({ format: 'binary' }) },
        },
      },
    },
    [400, 404, 503],
  ),
}

/** `GET /api/v1/export`: everything, or a part, as one file. */
export function exportRoutes(app: HttpApp, services: HttpServices): void {
  const { transfer, clock } = services
  const open = new Set<Readable>()
  // A stop does not wait for downloads: they are cut, which tells that they are not whole.
  app.addHook('preClose', done => {
    for (const stream of open) stream.destroy(new Error('Weir is stopping'))
    done()
  })
  // A HEAD would read everything to answer nothing.
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/v1/export', { schema, config, exposeHeadRoute: false }, async (request, reply) => {
    const { format, layout, time, metric = [], start, end, compression } = request.query
    if (layout === 'wide' && format !== 'csv') throw badParameter('layout', 'wide is for CSV')
    if (format === 'parquet' && (time !== 'iso' || compression === 'gzip')) {
      const name = time === 'iso' ? 'compression' : 'time'
      throw badParameter(
        name,
        'is for CSV and NDJSON; Parquet packs itself and has a type for times',
      )
    }
    const range = {
      start: start === undefined ? 0 : timeParameter(start, 'start'),
      end: end === undefined ? MAX_TIME_US + 1 : timeParameter(end, 'end'),
    }
    const devices = await chosenDevices(services, request)
    const release = transfer.slots.take()
    const { tenant } = request
    const asked = { tenant, devices, metrics: metric, range, format, time, layout } as const
    const bytes = withFirst(transfer.exportPoints(asked), release)
    // Before the head of the answer, so that a failure at the start still has its status.
    await bytes.begin()
    const stream = Readable.from(bytes.rest(), { objectMode: false, highWaterMark: PIECE_BYTES })
    open.add(stream)
    stream.once('error', error => {
      if (!reply.raw.headersSent) {
        // There is still time for the problem itself: it is no file, and not packed.
        reply.removeHeader('content-encoding').removeHeader('content-disposition')
      }
      const fields = { request: request.id, err: error }
      if (!isGone(error)) services.logger.warn(fields, 'an export ended early')
    })
    stream.once('close', () => {
      open.delete(stream)
      release()
    })
    reply.raw.setTimeout(STALL_MS, () => reply.raw.destroy())
    const stamp = new Date(clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d+/g, '')
    return reply.send(packed(stream, { request, reply, name: `weir-${stamp}.${format}`, format }))
  })
}

interface Packing {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly name: string
  readonly format: Format
}

/** The stream as it is sent, with its headers. The file's name is made of nothing that a client said. */
function packed(stream: Readable, { request, reply, name, format }: Packing): Readable {
  const { compression } = request.query as { compression?: string }
  const isFile = compression === 'gzip'
  const accepted = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(
    String(request.headers['accept-encoding'] ?? ''),
  )
  const isEncoded = compression === undefined && accepted && format !== 'parquet'
  reply.header('content-type', isFile ? 'application/gzip' : MEDIA_TYPES[format])
  reply.header('content-disposition', `attachment; filename="${name}${isFile ? '.gz' : ''}"`)
  reply.header('cache-control', 'no-store')
  if (format !== 'parquet' && compression === undefined) reply.header('vary', 'accept-encoding')
  if (!isFile && !isEncoded) return stream
  if (isEncoded) reply.header('content-encoding', 'gzip')
  // The fastest level: a link that is slow enough for more has a client that packs by itself.
  // Errors reach both ends; the callback only keeps them from being unhandled.
  return pipeline(stream, createGzip({ level: 1, chunkSize: PIECE_BYTES }), () => undefined)
}

/** Reads the first piece early, and gives everything; `release` is called when nothing follows. */
function withFirst(pieces: AsyncGenerator<Buffer, void, void>, release: () => void) {
  let first: IteratorResult<Buffer, void> | undefined
  return {
    async begin(): Promise<void> {
      try {
        first = await pieces.next()
      } catch (error) {
        release()
        throw error
      }
    },
    async *rest(): AsyncGenerator<Buffer, void, void> {
      try {
        if (first?.done === false) yield first.value
        first = undefined
        yield* pieces
      } finally {
        await pieces.return()
        release()
      }
    },
  }
}

/** The client went away: that is its affair. */
function isGone(error: Error & { code?: string }): boolean {
  return error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.name === 'AbortError'
}

/** The tenant's devices that fit, by name. */
async function chosenDevices(
  { table, registry }: HttpServices,
  { access, query }: Pick<FastifyRequest, 'access' | 'query'>,
): Promise<string[]> {
  const { device_id, site, product } = query as {
    device_id?: string[]
    site?: string
    product?: string
  }
  const { tenant, device: only } = access
  mustReachAll(access, device_id ?? [])
  for (const id of device_id ?? []) {
    const find = (): object | undefined => table.findDevice(tenant, id) ?? registry.get(tenant, id)
    if ((await foundOrRefreshed(registry, find)) === undefined) {
      throw notFound(`there is no device ${JSON.stringify(id.slice(0, 100))}`)
    }
  }
  const own = only === undefined ? undefined : [only]
  const names = device_id ?? own ?? [...table.devicesOf(tenant).keys()].sort()
  if (site === undefined && product === undefined) return [...new Set(names)]
  return [...new Set(names)].filter(name => {
    const device = registry.get(tenant, name)
    if (site !== undefined && device?.site !== site) return false
    return product === undefined || device?.product === product
  })
}
