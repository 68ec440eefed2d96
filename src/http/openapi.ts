import { STATUS_CODES } from 'node:http'
import type { FastifySchema } from 'fastify'
import Type, { type TSchema } from 'typebox'
import type { RouteScope } from './auth.ts'
import { PROBLEM_TYPE, problemSchema } from './problem.ts'

/** A route as it was declared, before Fastify got it. */
export interface DocumentedRoute {
  readonly method: string
  readonly url: string
  readonly schema: FastifySchema
  readonly rawBody: readonly string[] | undefined
  readonly scope: RouteScope | undefined
  /** Whether a GET answers HEAD as well. */
  readonly head: boolean
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, TSchema & { description?: string }>>
  readonly required?: readonly string[]
}

interface ResponseSchema {
  readonly description?: string
  readonly content?: Readonly<Record<string, { readonly schema: TSchema }>>
}

const PROBLEM_REF = Type.Unsafe<unknown>({ $ref: '#/components/schemas/Problem' })

export type Responses = Readonly<Record<string, ResponseSchema>>

/** What a route answers; the problems are named by their status codes. */
export function responses(
  good: Readonly<Record<number, TSchema | ResponseSchema>>,
  problems: readonly number[] = [],
): Responses {
  const all: Record<string, ResponseSchema> = {}
  for (const [status, schema] of Object.entries(good)) {
    all[status] = isContent(schema) ? schema : contentOf(schema)
  }
  for (const status of [...problems, 500]) {
    all[status] = { content: { [PROBLEM_TYPE]: { schema: PROBLEM_REF } } }
  }
  return all
}

/** JSON, unless the schema names another media type. */
function contentOf(schema: TSchema): ResponseSchema {
  const { contentMediaType = 'application/json' } = schema as { contentMediaType?: string }
  return { content: { [contentMediaType]: { schema } } }
}

const isContent = (schema: TSchema | ResponseSchema): schema is ResponseSchema =>
  'content' in schema

const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A key. `Token KEY` says the same.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  basic: { type: 'http', scheme: 'basic', description: 'The key as the password, any user name.' },
}
const SECURITY = Object.keys(SECURITY_SCHEMES).map(name => ({ [name]: [] }))

/** What every route that needs a key may answer besides its own. */
const KEY_PROBLEMS: Responses = Object.fromEntries(
  [401, 403, 429].map(status => [status, { content: { [PROBLEM_TYPE]: { schema: PROBLEM_REF } } }]),
)

function withScope(description: string | undefined, scope: RouteScope): string | undefined {
  if (scope === 'none') return description
  const needs =
    scope === 'operator'
      ? 'Where keys are asked for: for `admin` of the tenant that runs the node.'
      : `Where keys are asked for: needs the scope \`${scope}\`.`
  return description === undefined ? needs : `${description} ${needs}`
}

export interface OpenApiInfo {
  readonly version: string
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  /** Whether requests need no key. */
  readonly isOpen: boolean
}

export function openApiDocument(routes: readonly DocumentedRoute[], info: OpenApiInfo): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = operation(route, path, info.isOpen)
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Weir',
      version: info.version,
      description: 'An IoT telemetry platform that measures itself.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: info.tags,
    paths,
    components: { schemas: { Problem: problemSchema }, securitySchemes: SECURITY_SCHEMES },
  }
}

function operation(route: DocumentedRoute, path: string, isOpen: boolean): object {
  const { method, schema, rawBody, scope = 'operator' } = route
  const { summary, tags } = schema
  const description = withScope(schema.description, scope)
  const parameters = [
    ...parametersOf(schema.params as ObjectSchema | undefined, 'path'),
    ...parametersOf(schema.querystring as ObjectSchema | undefined, 'query'),
    ...parametersOf(schema.headers as ObjectSchema | undefined, 'header'),
  ]
  const answers = schema.response as Responses | undefined
  return {
    operationId: operationId(method, path),
    ...(summary === undefined ? {} : { summary }),
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(schema.body === undefined
      ? {}
      : { requestBody: requestBody(schema.body as TSchema, rawBody) }),
    responses: responsesOf({ ...(scope === 'none' ? {} : KEY_PROBLEMS), ...answers }),
    // What `security` cannot say.
    'x-weir-scope': route.scope,
    security: scope === 'none' ? [] : isOpen ? [{}, ...SECURITY] : SECURITY,
  }
}

/** `POST /api/v1/devices/{id}` → `post_api_v1_devices_id`. */
function operationId(method: string, path: string): string {
  const words = path.split(/\W+/).filter(word => word !== '')
  return [method.toLowerCase(), ...words].join('_')
}

function parametersOf(
  schema: ObjectSchema | undefined,
  place: 'path' | 'query' | 'header',
): object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, { description, ...value }]) => ({
    name,
    in: place,
    required: place === 'path' || (schema?.required ?? []).includes(name),
    ...(description === undefined ? {} : { description }),
    schema: value,
  }))
}

function requestBody(schema: TSchema, rawBody: readonly string[] | undefined): object {
  const types = rawBody ?? ['application/json']
  const content: Record<string, object> = {}
  for (const type of types) {
    // Lines and frames are no JSON documents: a schema would say something else.
    content[type] = type === 'application/json' ? { schema } : {}
  }
  return { required: true, content }
}

function responsesOf(all: Responses): object {
  const out: Record<string, object> = {}
  for (const [status, { description, ...rest }] of Object.entries(all)) {
    out[status] = { description: description ?? STATUS_CODES[status] ?? status, ...rest }
  }
  return out
}
