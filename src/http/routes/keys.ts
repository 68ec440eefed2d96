import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import type { IssuedKey } from '../../access/keys.ts'
import type { HttpApp } from '../app.ts'
import {
  issuedSchema,
  issueFields,
  issueInput,
  keySchema,
  newKeyScopes,
  overlapSchema,
  shownKey,
} from '../issued-key.ts'
import { foundOrRefreshed, knownDevice } from '../known.ts'
import { responses } from '../openapi.ts'
import { notFound } from '../problem.ts'
import type { HttpServices } from '../services.ts'

const tags = ['keys']
const config = { scope: 'admin' } as const
const idParam = { id: Type.String({ description: 'The id of the key' }) }
const gone = { description: 'It works no more', content: {} }

/** The keys of the tenant, and those of one device as its credentials. */
export function keyRoutes(app: HttpApp, services: HttpServices): void {
  tenantKeyRoutes(app, services)
  endRoutes(app, services)
  credentialRoutes(app, services)
}

function tenantKeyRoutes(app: HttpApp, { keys, clock }: HttpServices): void {
  const list = {
    tags,
    summary: 'The keys of the tenant',
    description:
      'Newest first; those that ended stay for 30 days. The keys themselves are not kept.',
    response: responses({ 200: Type.Object({ data: Type.Array(keySchema) }) }, [400]),
  }
  app.get('/api/v1/keys', { schema: list, config }, (request, reply) => {
    const nowMs = clock.nowMs()
    void reply.send({ data: keys.list(request.tenant).map(key => shownKey(key, nowMs)) })
  })

  const create = {
    tags,
    summary: 'Issue a key',
    body: Type.Object(
      {
        scopes: newKeyScopes,
        device_id: Type.Optional(Type.String({ description: 'The only device of the key' })),
        ...issueFields,
      },
      { additionalProperties: false },
    ),
    response: responses({ 201: issuedSchema }, [400, 409, 413, 415, 503]),
  }
  app.post('/api/v1/keys', { schema: create, config }, async (request, reply) => {
    const { scopes, device_id: device, ...fields } = request.body
    const input = { ...issueInput(fields, clock.nowMs()), tenant: request.tenant, scopes, device }
    return issued(reply, await keys.create(input), clock.nowMs())
  })
}

function endRoutes(app: HttpApp, { keys, clock }: HttpServices): void {
  const remove = {
    tags,
    summary: 'Revoke a key',
    description: 'At once, for good, and safe to repeat.',
    params: Type.Object(idParam),
    response: responses({ 204: gone }, [400, 404, 503]),
  }
  app.delete('/api/v1/keys/:id', { schema: remove, config }, async (request, reply) => {
    const { id } = request.params
    if ((await keys.revoke(request.tenant, id)) === undefined) throw noKey(id)
    return reply.code(204).send()
  })

  const rotate = {
    tags,
    summary: 'Issue a key in place of another',
    description: 'With the same rights; the old one works on for the overlap.',
    params: Type.Object(idParam),
    querystring: overlapSchema,
    response: responses({ 201: issuedSchema }, [400, 404, 409, 503]),
  }
  app.post('/api/v1/keys/:id/rotate', { schema: rotate, config }, async (request, reply) => {
    const { tenant, params } = request
    const key = await foundOrRefreshed(keys, () => keys.find(tenant, params.id))
    if (key === undefined) throw noKey(params.id)
    const fresh = await keys.rotate(key, request.query.overlap_seconds * 1000)
    return issued(reply, fresh, clock.nowMs())
  })
}

function credentialRoutes(app: HttpApp, { keys, registry, clock }: HttpServices): void {
  const url = '/api/v1/devices/:id/credentials'
  const params = Type.Object({ id: Type.String({ description: 'The device, percent-encoded' }) })
  const list = {
    tags: ['devices', ...tags],
    summary: 'The keys of a device',
    description: 'They are ended and rotated as all keys, under /api/v1/keys.',
    params,
    response: responses({ 200: Type.Object({ data: Type.Array(keySchema) }) }, [400, 404]),
  }
  app.get(url, { schema: list, config }, async request => {
    const { id } = await knownDevice(registry, request.tenant, request.params.id)
    const own = keys.list(request.tenant).filter(({ device }) => device === id)
    const nowMs = clock.nowMs()
    return { data: own.map(key => shownKey(key, nowMs)) }
  })

  const create = {
    tags: ['devices', ...tags],
    summary: 'Issue a key for a device',
    description: 'It may write and read this device only.',
    params,
    body: Type.Object(
      { scopes: Type.Optional(newKeyScopes), ...issueFields },
      { additionalProperties: false },
    ),
    response: responses({ 201: issuedSchema }, [400, 404, 409, 413, 415, 503]),
  }
  app.post(url, { schema: create, config }, async (request, reply) => {
    const { id: device } = await knownDevice(registry, request.tenant, request.params.id)
    const { scopes = ['ingest'], ...fields } = request.body
    const input = { ...issueInput(fields, clock.nowMs()), tenant: request.tenant, scopes, device }
    return issued(reply, await keys.create(input), clock.nowMs())
  })
}

/** The one answer that holds a key. */
function issued(reply: FastifyReply, { key, text }: IssuedKey, nowMs: number): object {
  reply.code(201).header('cache-control', 'no-store')
  return { ...shownKey(key, nowMs), key: text }
}

const noKey = (id: string) => notFound(`there is no key ${JSON.stringify(id)}`)
