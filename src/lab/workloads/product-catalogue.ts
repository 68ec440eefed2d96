import type { Template } from './template.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

const PRICE: Template = { is: 'number', min: 1, max: 500, decimals: 2 }
const KNOWN: Template = {
  is: 'pick',
  of: ['product-a', 'product-b', 'product-c', 'product-d', 'product-e'],
}

const product = (productId: Template): Template => ({
  is: 'object',
  fields: { productId, name: { is: 'constant', value: 'Pump' }, price: PRICE },
})

export const PRODUCT_CATALOGUE: Workload = {
  id: 'product-catalogue',
  title: 'Product catalogue',
  summary: 'People who enter products, some of which are there already, and look them up.',
  devices: 50,
  devicePrefix: 'device-',
  metrics: {},
  requests: [
    {
      name: 'POST product',
      weight: 4,
      method: 'POST',
      path: ['/products'],
      body: product({ is: 'serial', prefix: 'product-' }),
      expects: [201],
      // Of a run before on the same platform.
      tolerates: [409],
      points: 0,
    },
    {
      name: 'POST product again',
      weight: 1,
      method: 'POST',
      path: ['/products'],
      body: product(KNOWN),
      expects: [201],
      tolerates: [409],
      points: 0,
    },
    {
      name: 'GET product',
      weight: 5,
      method: 'GET',
      path: ['/products/', KNOWN],
      expects: [200],
      // Until the first of the requests above has entered it.
      tolerates: [404],
      points: 0,
    },
  ],
  history: { points: 0, intervalMs: 0 },
  executor: { kind: 'closed', users: 50, thinkMs: [100, 500], durationMs: 60_000 },
  slo: DEFAULT_SLO,
}
