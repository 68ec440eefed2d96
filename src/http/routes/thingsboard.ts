import Type from 'typebox'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { answerOutcome } from '../ingest-answer.ts'
import { ingestJson, type JsonDecoder } from '../ingest-json.ts'
import { parseJson } from '../json-body.ts'
import { responses } from '../openapi.ts'
import { HttpProblem, notFound } from '../problem.ts'
import { metricsSchema, outcomeSchema } from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const tags = ['thingsboard']
const params = Type.Object({ token: Type.String({ description: "The device's access token" }) })
const attributes = Type.Record(Type.String(), Type.Unknown())
const rawBody = ['application/json']

/** The HTTP API of ThingsBoard devices: the token in the path says which device it is. */
export function thingsboardRoutes(app: HttpApp, services: HttpServices): void {
  telemetryRoute(app, services)
  attributeRoutes(app, services)
}

/** @throws HttpProblem 401 for an unknown token, which is not repeated: it may be a mistyped one. */
function deviceOf({ resolveToken }: HttpServices, token: string) {
  // These paths are the native API's, whoever has such a token.
  if (token === 'telemetry') throw notFound('there is nothing at this address')
  const found = resolveToken(token)
  if (found === undefined) throw new HttpProblem(401, 'the token in the path is not known')
  return found
}

function telemetryRoute(app: HttpApp, services: HttpServices): void {
  const schema = {
    tags,
    summary: 'Send telemetry, as ThingsBoard devices do',
    description:
      '{key: value}, {ts, values: {key: value}} with ts in milliseconds, or an array of them.',
    params,
    body: metricsSchema,
    response: responses({ 200: outcomeSchema }, [400, 401, 404, 413, 415, 503, 507]),
  }
  app.post('/api/v1/:token/telemetry', { schema, config: { rawBody } }, (request, reply) => {
    const { tenant, device } = deviceOf(services, request.params.token)
    const body = request.body as unknown as Buffer | undefined
    request.body = undefined as never
    const source = { deviceId: device, countsItems: true }
    const decode: JsonDecoder = (bytes, sink) =>
      services.dialects.decodeThingsboard(bytes, source, sink)
    answerOutcome(ingestJson(services.gate, tenant, { body, decode }), reply)
  })
}

function attributeRoutes(app: HttpApp, services: HttpServices): void {
  const url = '/api/v1/:token/attributes'
  const set = {
    tags,
    summary: "Set the device's own attributes",
    description: 'They are merged into the attributes that the registry keeps of the device.',
    params,
    body: attributes,
    response: responses({ 200: Type.Object({}) }, [400, 401, 404, 413, 415, 503]),
  }
  app.post(url, { schema: set, config: { rawBody } }, async (request, reply) => {
    const { tenant, device } = deviceOf(services, request.params.token)
    const json = parseJson((request.body as unknown as Buffer | undefined) ?? null)
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new HttpProblem(400, 'the body must be an object of attributes')
    }
    await services.setAttributes(tenant, device, json as Record<string, unknown>)
    reply.header('content-type', JSON_TYPE)
    return '{}'
  })

  const keys = Type.Optional(Type.String({ description: 'Names, joined by commas' }))
  const get = {
    tags,
    summary: "The device's attributes",
    description:
      'Weir keeps one set of attributes of a device: client and shared are both taken from it. ' +
      'With keys, only what is asked for.',
    params,
    querystring: Type.Object({ clientKeys: keys, sharedKeys: keys }),
    response: responses(
      {
        200: Type.Object({ client: Type.Optional(attributes), shared: Type.Optional(attributes) }),
      },
      [400, 401, 404],
    ),
  }
  app.get(url, { schema: get }, (request, reply) => {
    const { tenant, device } = deviceOf(services, request.params.token)
    const { clientKeys, sharedKeys } = request.query
    const kept = services.registry.get(tenant, device)?.attributes ?? {}
    const isAll = clientKeys === undefined && sharedKeys === undefined
    void reply.send({
      ...(isAll || clientKeys !== undefined ? { client: pick(kept, clientKeys) } : {}),
      ...(isAll || sharedKeys !== undefined ? { shared: pick(kept, sharedKeys) } : {}),
    })
  })
}

function pick(from: Readonly<Record<string, unknown>>, keys: string | undefined): object {
  if (keys === undefined) return from
  const wanted = keys.split(',').filter(key => Object.hasOwn(from, key))
  return Object.fromEntries(wanted.map(key => [key, from[key]]))
}
