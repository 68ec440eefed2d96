import type { Attributes, Device } from '../model/device.ts'
import { deviceIdProblem, nameProblem } from '../model/names.ts'
import {
  attributesProblem,
  intervalProblem,
  patched,
  patchedAttributes,
  refuse,
} from './field-checks.ts'

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
