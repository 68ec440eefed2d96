import type { RejectReason } from '../model/rejection.ts'
import type { ValueRanges, ValueRule, ValueRules } from '../model/value-rules.ts'
import { OUT_OF_RANGE, REFUSED, type Violations } from '../model/violation.ts'

const INITIAL_ROWS = 64
/** Columns that grew beyond this are dropped, so that one bad request is not kept. */
const KEEP_ROWS = 1 << 14

/**
 * Holds the values of one request against what their products declare, and keeps what it found
 * until the request is durable. Columns, as everything that is done for each point.
 */
export class ValueCheck {
  readonly #rules: ValueRules
  /** Device time of the values that come next. */
  timeUs = 0
  #count = 0
  #itemCount = 0
  #series = new Uint32Array(INITIAL_ROWS)
  #verdicts = new Uint8Array(INITIAL_ROWS)
  #values = new Float64Array(INITIAL_ROWS)
  #timestamps = new Float64Array(INITIAL_ROWS)

  constructor(rules: ValueRules) {
    this.#rules = rules
  }

  /** A request begins. False: the tenant's products declare nothing to check. */
  begin(tenant: string): boolean {
    this.#count = 0
    this.#itemCount = 0
    if (this.#series.length > KEEP_ROWS) this.#resize(INITIAL_ROWS)
    return this.#rules.holdFor(tenant)
  }

  /** A body of its own begins, to which `restart` goes back. */
  item(): void {
    this.#itemCount = this.#count
  }

  restart(): void {
    this.#count = this.#itemCount
  }

  /** See `ValueRules.ranges`. */
  ranges(series: Uint32Array): ValueRanges | undefined {
    return this.#rules.ranges(series)
  }

  /** Whether a product says what values of the series must be. */
  isDeclared(series: number): boolean {
    return this.#rules.ruleOf(series) !== undefined
  }

  /** False: the value is to be refused (`refusal` says why). Hot: once a number or boolean. */
  takes(series: number, value: number, isBoolean: boolean): boolean {
    const verdict = this.#rules.check(series, value, isBoolean)
    return verdict === 0 || this.#note(series, value, verdict)
  }

  takesText(series: number): boolean {
    const verdict = this.#rules.checkText(series)
    return verdict === 0 || this.#note(series, NaN, verdict)
  }

  /** Why the value that was judged last is refused. */
  refusal(): { readonly detail: string; readonly reason: RejectReason } {
    const at = this.#count - 1
    const rule = this.#rules.ruleOf(this.#series[at])
    const isOut = (this.#verdicts[at] & OUT_OF_RANGE) !== 0
    const detail = rule === undefined ? '' : explain(rule, isOut ? this.#values[at] : undefined)
    return { detail, reason: isOut ? 'out_of_range' : 'wrong_type' }
  }

  /** What the request had; undefined when nothing was wrong. */
  found(): Violations | undefined {
    const count = this.#count
    if (count === 0) return undefined
    return {
      series: this.#series.slice(0, count),
      verdicts: this.#verdicts.slice(0, count),
      values: this.#values.slice(0, count),
      timestamps: this.#timestamps.slice(0, count),
    }
  }

  #note(series: number, value: number, verdict: number): boolean {
    const at = this.#count
    if (at === this.#series.length) this.#resize(2 * at)
    this.#series[at] = series
    this.#verdicts[at] = verdict
    this.#values[at] = value
    this.#timestamps[at] = this.timeUs
    this.#count = at + 1
    return (verdict & REFUSED) === 0
  }

  #resize(rows: number): void {
    this.#series = resized(this.#series, new Uint32Array(rows))
    this.#verdicts = resized(this.#verdicts, new Uint8Array(rows))
    this.#values = resized(this.#values, new Float64Array(rows))
    this.#timestamps = resized(this.#timestamps, new Float64Array(rows))
  }
}

function explain(rule: ValueRule, outOfRange: number | undefined): string {
  const { min, max, product, unit, type } = rule
  const says = `says product ${JSON.stringify(product)}`
  const measured = unit === undefined ? '' : ` ${unit}`
  if (outOfRange === undefined) return `must be ${ARTICLES[type]}, ${says}`
  return outOfRange < min
    ? `must not be below ${min}${measured}, ${says}`
    : `must not be above ${max}${measured}, ${says}`
}

const ARTICLES = {
  number: 'a number',
  integer: 'a whole number',
  boolean: 'a boolean',
  string: 'a string',
}

function resized<T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from.subarray(0, to.length))
  return to
}
