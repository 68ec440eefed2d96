import type { DeviceEntry, SeriesTable } from './series-table.ts'
import type { MetricType } from './product.ts'
import { GOOD, OUT_OF_RANGE, REFUSED, WRONG_TYPE } from './violation.ts'

/** What the values of one metric of a product's devices must be. */
export interface ValueRule {
  readonly tenant: string
  /** For what is told of a violation. */
  readonly product: string
  readonly unit: string | undefined
  readonly type: MetricType
  /** Inclusive; infinite where there is no bound. */
  readonly min: number
  readonly max: number
  readonly refuse: boolean
}

export interface ValueRanges {
  readonly mins: Float64Array
  readonly maxs: Float64Array
}

const UNKNOWN = 0
const NONE = 1
/** Values from here on are places of rules. */
const FIRST = 2

const NUMBER = 1
const INTEGER = 2
const BOOLEAN = 3
const TEXT = 4
const CODES: Readonly<Record<MetricType, number>> = {
  number: NUMBER,
  integer: INTEGER,
  boolean: BOOLEAN,
  string: TEXT,
}

/** The place of the rule of a device's metric, or -1: asked once a series. */
export type RulePlace = (device: DeviceEntry, metric: string) => number

/**
 * The rules of all products, and which of them holds for each series of the process: one array
 * read a value, no name. What a series has is found out at its first value, and again after
 * `forget`. Written by the registry, read by the doors.
 */
export class ValueRules {
  readonly #table: SeriesTable
  readonly #placeOf: RulePlace
  readonly #rules: (ValueRule | undefined)[] = []
  readonly #free: number[] = []
  readonly #tenants = new Map<string, number>()
  #types = new Uint8Array(64)
  #mins = new Float64Array(64)
  #maxs = new Float64Array(64)
  #refused = new Uint8Array(64)
  /** By series: UNKNOWN, NONE, or FIRST + the rule's place. */
  #bySeries = new Uint32Array(0)

  constructor(table: SeriesTable, placeOf: RulePlace) {
    this.#table = table
    this.#placeOf = placeOf
  }

  /** Whether a product of the tenant has a rule: where none has, nothing needs to be checked. */
  holdFor(tenant: string): boolean {
    return this.#tenants.has(tenant)
  }

  add(rule: ValueRule): number {
    const place = this.#free.pop() ?? this.#rules.length
    if (place === this.#types.length) this.#grow()
    this.#rules[place] = rule
    this.#types[place] = CODES[rule.type]
    this.#mins[place] = rule.min
    this.#maxs[place] = rule.max
    this.#refused[place] = rule.refuse ? REFUSED : 0
    this.#tenants.set(rule.tenant, (this.#tenants.get(rule.tenant) ?? 0) + 1)
    return place
  }

  /** Its place is given to the next rule: `forget` the devices that had it before that. */
  remove(place: number): void {
    const rule = this.#rules[place]
    if (rule === undefined) return
    this.#rules[place] = undefined
    this.#free.push(place)
    const left = (this.#tenants.get(rule.tenant) ?? 0) - 1
    if (left > 0) this.#tenants.set(rule.tenant, left)
    else this.#tenants.delete(rule.tenant)
  }

  /** The device has another product now, or its product other rules. */
  forget(device: DeviceEntry): void {
    for (const series of device.series.values()) {
      if (series < this.#bySeries.length) this.#bySeries[series] = UNKNOWN
    }
  }

  /**
   * Hot, once a number or boolean (as 0 or 1): what is wrong with it, or GOOD. `isBoolean` where
   * the door knows that it is one; a boolean may also come as the number 0 or 1, which is what it
   * is stored and given back as.
   */
  check(series: number, value: number, isBoolean: boolean): number {
    const at = series < this.#bySeries.length ? this.#bySeries[series] : UNKNOWN
    if (at === NONE) return GOOD
    const place = at === UNKNOWN ? this.#find(series) : at - FIRST
    if (place < 0) return GOOD
    const type = this.#types[place]
    if (!isOfType(type, value, isBoolean)) return WRONG_TYPE | this.#refused[place]
    if (value >= this.#mins[place] && value <= this.#maxs[place]) return GOOD
    return OUT_OF_RANGE | this.#refused[place]
  }

  /** The same for a text. */
  checkText(series: number): number {
    const place = this.#find(series)
    if (place < 0) return GOOD
    return this.#types[place] === TEXT ? GOOD : WRONG_TYPE | this.#refused[place]
  }

  /**
   * For many values at once: per series the range in which every number is good, empty where each
   * value is to be looked at by `check`. Undefined: none of them has a rule.
   */
  ranges(series: Uint32Array): ValueRanges | undefined {
    const mins = new Float64Array(series.length).fill(-Infinity)
    const maxs = new Float64Array(series.length).fill(Infinity)
    let found = false
    for (let s = 0; s < series.length; s++) {
      const at = series[s] < this.#bySeries.length ? this.#bySeries[series[s]] : UNKNOWN
      if (at === NONE) continue
      const place = at === UNKNOWN ? this.#find(series[s]) : at - FIRST
      if (place < 0) continue
      found = true
      const isNumber = this.#types[place] === NUMBER
      mins[s] = isNumber ? this.#mins[place] : Infinity
      maxs[s] = isNumber ? this.#maxs[place] : -Infinity
    }
    return found ? { mins, maxs } : undefined
  }

  /** The rule of a series, to tell what is wrong. */
  ruleOf(series: number): ValueRule | undefined {
    const place = this.#find(series)
    return place < 0 ? undefined : this.#rules[place]
  }

  #find(series: number): number {
    if (series >= this.#bySeries.length) this.#growSeries(series)
    const known = this.#bySeries[series]
    if (known !== UNKNOWN) return known - FIRST
    const place = this.#placeOf(this.#table.deviceOf(series), this.#table.metricOf(series))
    this.#bySeries[series] = place < 0 ? NONE : FIRST + place
    return place
  }

  #growSeries(series: number): void {
    const larger = new Uint32Array(Math.max(1024, 2 * (series + 1), this.#table.seriesCount))
    larger.set(this.#bySeries)
    this.#bySeries = larger
  }

  #grow(): void {
    const length = 2 * this.#types.length
    this.#types = copied(this.#types, new Uint8Array(length))
    this.#mins = copied(this.#mins, new Float64Array(length))
    this.#maxs = copied(this.#maxs, new Float64Array(length))
    this.#refused = copied(this.#refused, new Uint8Array(length))
  }
}

function isOfType(type: number, value: number, isBoolean: boolean): boolean {
  if (type === NUMBER) return !isBoolean
  if (type === INTEGER) return !isBoolean && Math.trunc(value) === value
  return type === BOOLEAN && (isBoolean || value === 0 || value === 1)
}

function copied<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
