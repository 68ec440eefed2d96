import type { FastifyContextConfig } from 'fastify'
import Type from 'typebox'
import type { HttpApp } from '../app.ts'
import { ingestJson } from '../ingest-json.ts'
import { refusedPoints } from '../problem.ts'
import { timeSchema } from '../schemas.ts'
import type { HttpServices } from '../services.ts'
import { readingId, STREAMING_TAGS, streamingErrors, streamingResponses } from '../streaming.ts'

const bodySchema = Type.Object({
  device_id: Type.String(),
  metric: Type.String(),
  value: Type.Union([Type.Number(), Type.Boolean(), Type.String()]),
  timestamp: Type.Optional(timeSchema),
  location: Type.Optional(Type.String()),
})

const answerSchema = Type.Object(
  {
    status: Type.Literal('ok'),
    message_id: Type.String({
      format: 'uuid',
      description: 'Made of device, metric and time: the id of the reading, and of a repetition',
    }),
  },
  { additionalProperties: false },
)

/** The producer's side of the streaming platform API. */
export function streamingIngestRoutes(app: HttpApp, services: HttpServices): void {
  const { gate, dialects, locations } = services
  const schema = {
    tags: STREAMING_TAGS,
    summary: 'Send one message',
    description: 'Answered when it is durable. The location is kept with the device.',
    body: bodySchema,
    response: streamingResponses({ 200: answerSchema }, [400, 413, 415, 503, 507]),
  }
  const config: FastifyContextConfig = {
    ...{ rawBody: ['application/json'], deviceKeys: 'handler' },
    scope: 'ingest',
  }
  const errorHandler = streamingErrors(services)
  app.post('/ingest', { schema, config, errorHandler }, async request => {
    const { tenant } = request
    const key = { metric: '', timeUs: 0 }
    let message: ReturnType<typeof dialects.decodeStreamingMessage>
    const { rejected } = await ingestJson(gate, request.access, {
      body: request.body as unknown as Buffer | undefined,
      decode(body, sink) {
        message = dialects.decodeStreamingMessage(body, sink)
        sink.visitAccepted((metric, timeUs) => void Object.assign(key, { metric, timeUs }))
      },
    })
    if (message === undefined) {
      const [{ field, detail }] = rejected
      throw refusedPoints(`${field} ${detail}`.trimStart(), rejected)
    }
    const { deviceId: device, location } = message
    if (location !== undefined) locations.tell(tenant, device, location)
    return { status: 'ok', message_id: readingId({ tenant, device, ...key }) }
  })
}
