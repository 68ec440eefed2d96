import type { FastifyContextConfig } from 'fastify'
import Type from 'typebox'
import type { Access } from '../../model/access.ts'
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
const config: FastifyContextConfig = {
  ...{ rawBody: ['application/json'], deviceKeys: 'handler', keyIn: { path: 'token' } },
  scope: 'ingest',
}

/** The HTTP API of ThingsBoard devices: the token in the path says which device it is. */
export function thingsboardRoutes(app: HttpApp, services: HttpServices): void {
  telemetryRoute(app, services)
  attributeRoutes(app, services)
}

interface TokenRequest {
  readonly access: Access
  readonly params: { readonly token: string }
}

/**
 * The device of the key; where nobody has keys the token is the name of the device.
 *
 * @throws HttpProblem 403 for a key that is no device's.
 */
function deviceOf({ access, params: { token } }: TokenRequest): string {
  // These paths are the native API's, whoever has such a token.
  if (token === 'telemetry') throw notFound('there is nothing at this address')
  const device = access.keyId === undefined ? token : access.device
  if (device === undefined) throw new HttpProblem(403, 'the token is not the key of a device')
  return device
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
  app.post('/api/v1/:token/telemetry', { schema, config }, (request, reply) => {
    const device = deviceOf(request)
    const body = request.body as unknown as Buffer | undefined
    request.body = undefined as never
    const source = { deviceId: device, countsItems: true }
    const decode: JsonDecoder = (bytes, sink) =>
      services.dialects.decodeThingsboard(bytes, source, sink)
    answerOutcome(ingestJson(services.gate, request.access, { body, decode }), reply)
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
  app.post(url, { schema: set, config }, async (request, reply) => {
    const device = deviceOf(request)
    const json = parseJson((request.body as unknown as Buffer | undefined) ?? null)
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new HttpProblem(400, 'the body must be an object of attributes')
    }
    await services.setAttributes(request.tenant, device, json as Record<string, unknown>)
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
  // Of scope ingest too: a device asks for its own.
  app.get(url, { schema: get, config }, (request, reply) => {
    const device = deviceOf(request)
    const { clientKeys, sharedKeys } = request.query
    const kept = services.registry.get(request.tenant, device)?.attributes ?? {}
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
