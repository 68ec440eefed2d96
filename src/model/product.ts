import type { Attributes } from './device.ts'

export type MetricType = 'number' | 'integer' | 'boolean' | 'string'

/** `flag`: the value is stored and counted. `refuse`: it is a refused item of its request. */
export type OnViolation = 'flag' | 'refuse'

/** What a product says of one metric of its devices. */
export interface MetricDeclaration {
  readonly unit?: string
  /** Absent: any, but a range means `number`. */
  readonly type?: MetricType
  /** Inclusive. */
  readonly min?: number
  /** Inclusive. */
  readonly max?: number
  /** Absent: the product's. */
  readonly onViolation?: OnViolation
}

/** A model of device: what a device is an instance of. */
export interface Product {
  readonly tenant: string
  readonly id: string
  readonly name: string
  readonly price: number | undefined
  readonly attributes: Attributes
  readonly expectedIntervalMs: number | undefined
  /** By the metric's name. */
  readonly metrics: Readonly<Record<string, MetricDeclaration>>
  readonly onViolation: OnViolation
  readonly createdAtMs: number
}
