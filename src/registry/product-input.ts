import type { Attributes } from '../model/device.ts'
import { deviceIdProblem, nameProblem } from '../model/names.ts'
import type { MetricDeclaration, OnViolation, Product } from '../model/product.ts'
import {
  attributesProblem,
  intervalProblem,
  patched,
  patchedAttributes,
  refuse,
} from './field-checks.ts'
import { mergePatch } from './merge-patch.ts'

/** What people say of a product when they declare it. */
export interface ProductInput {
  readonly id: string
  readonly name: string
  readonly price?: number | undefined
  readonly attributes?: Attributes | undefined
  readonly expectedIntervalMs?: number | undefined
  readonly metrics?: Readonly<Record<string, MetricDeclaration>> | undefined
  /** Absent: `flag`, which loses nothing. */
  readonly onViolation?: OnViolation | undefined
}

/** A JSON merge patch (RFC 7396): absent leaves a field as it is, null clears it, metrics merge. */
export interface ProductPatch {
  readonly name?: string | undefined
  readonly price?: number | undefined
  readonly attributes?: Attributes | null | undefined
  readonly expectedIntervalMs?: number | null | undefined
  readonly metrics?: Readonly<Record<string, object | null>> | null | undefined
  readonly onViolation?: OnViolation | null | undefined
}

type ProductFields = Omit<Product, 'tenant' | 'createdAtMs'>

const MAX_METRICS = 1000
const MAX_UNIT_LENGTH = 64
const TYPES: readonly unknown[] = ['number', 'integer', 'boolean', 'string']
const ACTIONS: readonly unknown[] = ['flag', 'refuse']

/** @throws WeirError `rejected`, naming the field as clients know it. */
export function newProductFields(input: ProductInput): ProductFields {
  const { id, name, price, attributes = {}, expectedIntervalMs, metrics = {} } = input
  const { onViolation = 'flag' } = input
  return checked({ id, name, price, attributes, expectedIntervalMs, metrics, onViolation })
}

/** @throws WeirError `rejected`, naming the field as clients know it. */
export function patchedProductFields(product: Product, patch: ProductPatch): ProductFields {
  const metrics =
    patch.metrics === undefined ? product.metrics : mergePatch(product.metrics, patch.metrics ?? {})
  return checked({
    id: product.id,
    name: patch.name ?? product.name,
    price: patch.price ?? product.price,
    attributes: patchedAttributes(product.attributes, patch.attributes),
    expectedIntervalMs: patched(product.expectedIntervalMs, patch.expectedIntervalMs),
    metrics: patch.metrics === null ? {} : (metrics as Product['metrics']),
    onViolation: patched(product.onViolation, patch.onViolation) ?? 'flag',
  })
}

function checked(fields: ProductFields): ProductFields {
  const { id, name, price, attributes, expectedIntervalMs, metrics, onViolation } = fields
  refuse('productId', typeof id === 'string' ? deviceIdProblem(id) : 'must be a string')
  refuse('name', typeof name === 'string' ? nameProblem(name) : 'must be a string')
  if (price !== undefined && !(Number.isFinite(price) && price >= 0)) {
    refuse('price', 'must be a number of 0 or more')
  }
  refuse('attributes', attributesProblem(attributes))
  refuse('expectedIntervalMs', intervalProblem(expectedIntervalMs))
  if (!ACTIONS.includes(onViolation)) refuse('onViolation', 'must be flag or refuse')
  const names = Object.keys(metrics)
  if (names.length > MAX_METRICS) refuse('metrics', `must not be more than ${MAX_METRICS}`)
  for (const metric of names) {
    const problem = nameProblem(metric)
    if (problem !== undefined) refuse('metrics', `has a metric whose name ${problem}`)
    checkMetric(`metrics.${metric}`, metrics[metric])
  }
  return fields
}

function checkMetric(field: string, metric: MetricDeclaration): void {
  const { unit, type, min, max, onViolation } = metric
  if (unit !== undefined) refuse(`${field}.unit`, unitProblem(unit))
  if (type !== undefined && !TYPES.includes(type)) {
    refuse(`${field}.type`, 'must be number, integer, boolean or string')
  }
  for (const [bound, value] of Object.entries({ min, max })) {
    if (value === undefined) continue
    if (!Number.isFinite(value)) refuse(`${field}.${bound}`, 'must be a number')
    if (type === 'boolean' || type === 'string') {
      refuse(`${field}.${bound}`, `does not go with type ${type}`)
    }
  }
  if (min !== undefined && max !== undefined && min > max) {
    refuse(`${field}.min`, 'must not be above max')
  }
  if (onViolation !== undefined && !ACTIONS.includes(onViolation)) {
    refuse(`${field}.onViolation`, 'must be flag or refuse')
  }
}

function unitProblem(unit: unknown): string | undefined {
  if (typeof unit !== 'string') return 'must be a string'
  if (unit.length > MAX_UNIT_LENGTH) return `must not be longer than ${MAX_UNIT_LENGTH} characters`
  return nameProblem(unit)
}
