import Type, { type Static } from 'typebox'
import type { Product } from '../../model/product.ts'
import type { ProductInput, ProductPatch } from '../../registry/product-input.ts'
import type { HttpApp } from '../app.ts'
import { responses } from '../openapi.ts'
import { foundOrRefreshed } from '../known.ts'
import { HttpProblem, notFound } from '../problem.ts'
import { nullable } from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const tags = ['products']
const READ = { scope: 'read' } as const
const ADMIN = { scope: 'admin' } as const

const actionSchema = Type.Enum(['flag', 'refuse'], {
  description: 'flag: such values are stored and counted; refuse: they are refused items',
})
const typeSchema = Type.Enum(['number', 'integer', 'boolean', 'string'])
const attributesSchema = Type.Record(Type.String(), Type.Unknown(), { description: 'Free JSON' })
const intervalSchema = Type.Number({ description: 'How often a device of it is expected to send' })
const priceSchema = Type.Number({ minimum: 0 })

const metricSchema = Type.Object(
  {
    unit: Type.Optional(Type.String()),
    type: Type.Optional(typeSchema),
    min: Type.Optional(Type.Number({ description: 'The least allowed' })),
    max: Type.Optional(Type.Number({ description: 'The most allowed' })),
    onViolation: Type.Optional(actionSchema),
  },
  { additionalProperties: false },
)

const optionalFields = {
  metrics: Type.Optional(Type.Record(Type.String(), metricSchema)),
  onViolation: Type.Optional(actionSchema),
  attributes: Type.Optional(attributesSchema),
  expectedIntervalMs: Type.Optional(intervalSchema),
}

const inputSchema = Type.Object(
  { productId: Type.String(), name: Type.String(), price: priceSchema, ...optionalFields },
  { additionalProperties: false },
)

const replacementSchema = Type.Object(
  {
    productId: Type.Optional(Type.String({ description: 'As in the path, if at all' })),
    ...{ name: Type.String(), price: priceSchema, ...optionalFields },
  },
  { additionalProperties: false },
)

const metricPatchSchema = Type.Object(
  {
    unit: Type.Optional(nullable(Type.String())),
    type: Type.Optional(nullable(typeSchema)),
    min: Type.Optional(nullable(Type.Number())),
    max: Type.Optional(nullable(Type.Number())),
    onViolation: Type.Optional(nullable(actionSchema)),
  },
  { additionalProperties: false },
)

const patchSchema = Type.Object(
  {
    productId: Type.Optional(Type.String({ description: 'As in the path, if at all' })),
    name: Type.Optional(Type.String()),
    price: Type.Optional(priceSchema),
    metrics: Type.Optional(nullable(Type.Record(Type.String(), nullable(metricPatchSchema)))),
    onViolation: Type.Optional(nullable(actionSchema)),
    attributes: Type.Optional(nullable(attributesSchema)),
    expectedIntervalMs: Type.Optional(nullable(intervalSchema)),
  },
  { additionalProperties: false },
)

const productSchema = Type.Object(
  {
    productId: Type.String(),
    name: Type.String(),
    price: Type.Optional(Type.Number()),
    ...optionalFields,
  },
  { additionalProperties: false, description: 'What was declared, and nothing else' },
)

const params = Type.Object({ id: Type.String({ description: 'The product, percent-encoded' }) })
const url = '/products/:id'

/** The product catalogue API: what devices are instances of. */
export function productRoutes(app: HttpApp, services: HttpServices): void {
  listRoute(app, services)
  createRoute(app, services)
  readRoute(app, services)
  changeRoutes(app, services)
  removeRoute(app, services)
}

function listRoute(app: HttpApp, { products }: HttpServices): void {
  const schema = {
    tags,
    summary: 'All products',
    description: 'In order of their ids.',
    response: responses({ 200: Type.Array(productSchema) }, [400]),
  }
  app.get('/products', { schema, config: READ }, (request, reply) => {
    void reply.send(products.list(request.tenant).map(shown))
  })
}

function createRoute(app: HttpApp, { products }: HttpServices): void {
  const schema = {
    tags,
    summary: 'Declare a product',
    description:
      'A device whose product is this one has its values held against the metrics declared here: ' +
      'type and range (inclusive; a range alone means numbers). onViolation says what happens with ' +
      'others, of the product or of one metric: they are flagged, unless it says refuse.',
    body: inputSchema,
    response: responses({ 201: productSchema }, [400, 409, 413, 415, 503]),
  }
  app.post('/products', { schema, config: ADMIN }, async (request, reply) => {
    const product = await products.create(request.tenant, inputOf(request.body))
    reply.code(201).header('location', `/products/${encodeURIComponent(product.id)}`)
    return shown(product)
  })
}

function readRoute(app: HttpApp, { products, registry }: HttpServices): void {
  const schema = {
    tags,
    summary: 'One product',
    params,
    response: responses({ 200: productSchema }, [400, 404]),
  }
  app.get(url, { schema, config: READ }, async request => {
    const { tenant, params } = request
    const find = (): Product | undefined => products.get(tenant, params.id)
    const product = await foundOrRefreshed(registry, find)
    if (product === undefined) throw missing(params.id)
    return shown(product)
  })
}

function changeRoutes(app: HttpApp, { products }: HttpServices): void {
  const response = responses({ 200: productSchema }, [400, 404, 413, 415, 503])
  const patch = {
    tags,
    summary: 'Change a product',
    description:
      'A JSON merge patch (RFC 7396): null clears a field, metrics and attributes merge.',
    ...{ params, body: patchSchema, response },
  }
  app.patch(url, { schema: patch, config: ADMIN }, async request => {
    const { productId, ...rest } = request.body
    mustBeSame(productId, request.params.id)
    return shown(await products.update(request.tenant, request.params.id, rest as ProductPatch))
  })
  const put = {
    tags,
    summary: 'Declare a product anew',
    description: 'All of it: what the body leaves out is declared no more.',
    ...{ params, body: replacementSchema, response },
  }
  app.put(url, { schema: put, config: ADMIN }, async request => {
    const { productId, ...rest } = request.body
    const { id } = request.params
    mustBeSame(productId, id)
    return shown(await products.replace(request.tenant, inputOf({ productId: id, ...rest })))
  })
}

function removeRoute(app: HttpApp, { products }: HttpServices): void {
  const schema = {
    tags,
    summary: 'Remove a product',
    description: 'Its devices stay and keep its id, but their values are checked no more.',
    params,
    response: responses({ 204: { description: 'It is gone', content: {} } }, [400, 404, 503]),
  }
  app.delete(url, { schema, config: ADMIN }, async (request, reply) => {
    if (!(await products.remove(request.tenant, request.params.id))) {
      throw missing(request.params.id)
    }
    return reply.code(204).send()
  })
}

const missing = (id: string): HttpProblem => notFound(`there is no product ${JSON.stringify(id)}`)

function mustBeSame(given: string | undefined, id: string): void {
  if (given === undefined || given === id) return
  const detail = `must be ${JSON.stringify(id)}, as in the path`
  throw new HttpProblem(400, `productId ${detail}`, {
    errors: [{ index: 0, field: 'productId', detail }],
  })
}

function inputOf({ productId, ...rest }: Static<typeof inputSchema>): ProductInput {
  return { id: productId, ...rest } as ProductInput
}

/** What was declared, and nothing else: a client of the plain catalogue reads back what it sent. */
function shown(product: Product): object {
  const { id, name, price, metrics, onViolation, attributes, expectedIntervalMs } = product
  return {
    productId: id,
    name,
    price,
    ...(isEmpty(metrics) ? {} : { metrics }),
    ...(isEmpty(metrics) && onViolation === 'flag' ? {} : { onViolation }),
    ...(isEmpty(attributes) ? {} : { attributes }),
    expectedIntervalMs,
  }
}

const isEmpty = (record: object): boolean => Object.keys(record).length === 0
