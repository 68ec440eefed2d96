import type { TSchema } from 'typebox'
import { MAX_TIME_US, timeFromIso, timeFromNumber } from '../model/time.ts'
import { badParameter, HttpProblem, type ProblemItem } from './problem.ts'

/** What of JSON Schema the routes' query parameters use. */
interface ParameterSchema {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly items?: ParameterSchema
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly maxItems?: number
}

interface QuerySchema {
  readonly properties?: Readonly<Record<string, ParameterSchema>>
  readonly required?: readonly string[]
}

type Query = Record<string, string | string[] | undefined>
export type QueryValidator = (query: Query) => { value: object } | { error: HttpProblem }

/**
 * Reads the query parameters that a route's schema names: numbers from text, one or many where it
 * says array, defaults where it has one. All problems are reported at once, unknown names too.
 */
export function queryValidator(schema: TSchema): QueryValidator {
  const { properties = {}, required = [] } = schema as QuerySchema
  const known = new Map(Object.entries(properties))
  return query => {
    const errors: ProblemItem[] = []
    const value: Record<string, unknown> = {}
    const report = (field: string, detail: string): void => {
      errors.push({ index: 0, field, detail })
    }
    for (const name in query) {
      const parameter = known.get(name)
      const given = query[name]
      if (parameter === undefined) report(name, unknownDetail(known))
      else if (given !== undefined) value[name] = read(given, parameter, d => report(name, d))
    }
    for (const [name, parameter] of known) {
      if (query[name] !== undefined) continue
      if (parameter.default !== undefined) value[name] = parameter.default
      else if (required.includes(name)) report(name, 'is missing')
    }
    if (errors.length === 0) return { value }
    const [{ field, detail }] = errors
    return {
      error: new HttpProblem(400, `query parameter ${shorten(field)} ${detail}`, { errors }),
    }
  }
}

function unknownDetail(known: ReadonlyMap<string, unknown>): string {
  if (known.size === 0) return 'is not known: this route takes none'
  return `is not known; known are ${[...known.keys()].join(', ')}`
}

const shorten = (name: string): string => (name.length > 100 ? `${name.slice(0, 100)}…` : name)

type Report = (detail: string) => void

function read(given: string | string[], schema: ParameterSchema, report: Report): unknown {
  if (schema.type !== 'array') {
    if (typeof given === 'string') return readOne(given, schema, report)
    report('is given more than once')
    return undefined
  }
  const values = typeof given === 'string' ? [given] : given
  if (values.length > (schema.maxItems ?? Infinity)) {
    report(`is given more than ${schema.maxItems} times`)
  }
  return values.map(value => readOne(value, schema.items ?? {}, report))
}

function readOne(text: string, schema: ParameterSchema, report: Report): unknown {
  if (schema.enum !== undefined) {
    if (!schema.enum.includes(text)) report(`must be one of ${schema.enum.join(', ')}`)
    return text
  }
  if (schema.type === 'integer' || schema.type === 'number') return readNumber(text, schema, report)
  if (schema.type === 'boolean') {
    if (text !== 'true' && text !== 'false') report('must be true or false')
    return text === 'true'
  }
  if (text === '') report('must not be empty')
  return text
}

function readNumber(text: string, schema: ParameterSchema, report: Report): number {
  const { minimum, maximum } = schema
  const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  const whole = schema.type === 'integer'
  if (Number.isNaN(value) || (whole && !Number.isSafeInteger(value))) {
    report(`must be ${whole ? 'an integer' : 'a number'}`)
  } else if (minimum !== undefined && value < minimum) report(`must not be below ${minimum}`)
  else if (maximum !== undefined && value > maximum) report(`must not be above ${maximum}`)
  return value
}

/**
 * Microseconds of a time in a query: ISO 8601, or a number of s, ms, µs or ns by its magnitude.
 *
 * @throws HttpProblem 400 that names the parameter.
 */
export function timeParameter(text: string, name: string): number {
  const time = /^\d+(\.\d+)?$/.test(text) ? numberTime(text) : timeFromIso(withPlus(text))
  if (time <= MAX_TIME_US) return time
  throw badParameter(name, 'is not an ISO 8601 time or a number of s, ms, µs or ns')
}

function numberTime(text: string): number {
  // Nanoseconds of today are beyond what a float64 holds exactly.
  if (/^\d{17,20}$/.test(text)) return Number((BigInt(text) + 500n) / 1000n)
  return timeFromNumber(Number(text))
}

/** A plus sign that was not percent-encoded arrives as a space. */
function withPlus(text: string): string {
  return text.replace(/^(.{10}[Tt]\S+) (\d\d:?(?:\d\d)?)$/, '$1+$2')
}
