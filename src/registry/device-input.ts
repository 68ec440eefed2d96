import type { Attributes, Device, Product } from '../model/device.ts'
import { deviceIdProblem, nameProblem } from '../model/names.ts'
import { WeirError } from '../ports/errors.ts'
import { isDeeper, isObject, mergePatch } from './merge-patch.ts'

/** What people say of a device when they register it. */
export interface DeviceInput {
  readonly id: string
  readonly name?: string | undefined
  readonly type?: string | undefined
  /** An id of a product; it may be declared later. */
  readonly product?: string | undefined
  readonly site?: string | undefined
  readonly attributes?: Attributes | undefined
  readonly expectedIntervalMs?: number | undefined
}

/** A JSON merge patch (RFC 7396): absent leaves a field as it is, null clears it. */
export interface DevicePatch {
  readonly name?: string | null | undefined
  readonly type?: string | null | undefined
  readonly product?: string | null | undefined
  readonly site?: string | null | undefined
  readonly attributes?: Attributes | null | undefined
  readonly expectedIntervalMs?: number | null | undefined
}

export interface ProductInput {
  readonly id: string
  readonly name: string
  readonly price?: number | undefined
  readonly attributes?: Attributes | undefined
  readonly expectedIntervalMs?: number | undefined
}

export const MAX_ATTRIBUTE_BYTES = 65_536
export const MAX_ATTRIBUTE_DEPTH = 32

type DeviceFields = Pick<
  Device,
  'name' | 'type' | 'product' | 'site' | 'attributes' | 'expectedIntervalMs'
>

/** @throws WeirError `rejected`, naming the field. */
export function newDeviceFields(input: DeviceInput): DeviceFields {
  refuse('id', typeof input.id === 'string' ? deviceIdProblem(input.id) : 'must be a string')
  return checked({
    name: input.name,
    type: input.type,
    product: input.product,
    site: input.site,
    attributes: input.attributes ?? {},
    expectedIntervalMs: input.expectedIntervalMs,
  })
}

/** @throws WeirError `rejected`, naming the field. */
export function patchedDeviceFields(device: DeviceFields, patch: DevicePatch): DeviceFields {
  return checked({
    name: patched(device.name, patch.name),
    type: patched(device.type, patch.type),
    product: patched(device.product, patch.product),
    site: patched(device.site, patch.site),
    attributes: patchedAttributes(device.attributes, patch.attributes),
    expectedIntervalMs: patched(device.expectedIntervalMs, patch.expectedIntervalMs),
  })
}

type ProductFields = Omit<Product, 'tenant' | 'createdAtMs'>

/** @throws WeirError `rejected`, naming the field. */
export function newProductFields(input: ProductInput): ProductFields {
  const { id, name, price, attributes = {}, expectedIntervalMs } = input
  refuse('id', typeof id === 'string' ? deviceIdProblem(id) : 'must be a string')
  refuse('name', typeof name === 'string' ? nameProblem(name) : 'must be a string')
  if (price !== undefined && !(Number.isFinite(price) && price >= 0)) {
    refuse('price', 'must be a number of 0 or more')
  }
  refuse('attributes', attributesProblem(attributes))
  refuse('expected_interval_ms', intervalProblem(expectedIntervalMs))
  return { id, name, price, attributes, expectedIntervalMs }
}

function checked(fields: DeviceFields): DeviceFields {
  for (const field of ['name', 'type', 'product', 'site'] as const) {
    const value = fields[field]
    if (value === undefined) continue
    refuse(field, typeof value === 'string' ? nameProblem(value) : 'must be a string')
  }
  refuse('attributes', attributesProblem(fields.attributes))
  refuse('expected_interval_ms', intervalProblem(fields.expectedIntervalMs))
  return fields
}

function patched<T>(before: T | undefined, patch: T | null | undefined): T | undefined {
  return patch === undefined ? before : (patch ?? undefined)
}

function patchedAttributes(before: Attributes, patch: Attributes | null | undefined): Attributes {
  if (patch === undefined) return before
  if (patch === null) return {}
  refuse('attributes', attributesProblem(patch))
  return mergePatch(before, patch)
}

function attributesProblem(attributes: unknown): string | undefined {
  if (!isObject(attributes)) return 'must be an object'
  // First the depth: JSON.stringify is recursive.
  if (isDeeper(attributes, MAX_ATTRIBUTE_DEPTH)) {
    return `must not be nested deeper than ${MAX_ATTRIBUTE_DEPTH} levels`
  }
  if (Buffer.byteLength(JSON.stringify(attributes)) <= MAX_ATTRIBUTE_BYTES) return undefined
  return `must not be longer than ${MAX_ATTRIBUTE_BYTES} bytes of JSON`
}

function intervalProblem(intervalMs: number | undefined): string | undefined {
  if (intervalMs === undefined || (Number.isFinite(intervalMs) && intervalMs > 0)) return undefined
  return 'must be a number above 0'
}

function refuse(field: string, problem: string | undefined): void {
  if (problem !== undefined) throw new WeirError('rejected', `${field} ${problem}`)
}
