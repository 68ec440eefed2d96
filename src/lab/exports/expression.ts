import type { PathPart, Template } from '../workloads/template.ts'

/** How a language writes what a template is made of. */
export interface Dialect {
  literal(value: string | number | boolean): string
  number(min: number, max: number, decimals: number): string
  /** ISO 8601 of `moment`, an expression of milliseconds since 1970, with the sender's own digits. */
  uniqueTime(moment: string): string
  /** The same of now less so many milliseconds. */
  time(agoMs: string): string
  serial(prefix: string): string
  pick(values: readonly string[]): string
  object(fields: readonly (readonly [name: string, expression: string])[]): string
  /** `index` counts from 0 in `item`. */
  list(list: { readonly item: string; readonly count: number; readonly index: string }): string
  /** In `item`, `device` is another one for each, and `at` its own moment. */
  listOfDevices(list: {
    readonly item: string
    readonly count: number
    readonly span: Span | undefined
  }): string
  /** Text of a path: parts are expressions, whose text is to be escaped. */
  path(parts: readonly ({ readonly text: string } | { readonly expression: string })[]): string
}

/** How far before its moment the unique times of a request are. */
export interface Span {
  readonly leastAgoMs: number
  readonly mostAgoMs: number
}

/** The unique times of a template, without those of other devices; undefined: it has none. */
export function spanOf(template: Template): Span | undefined {
  switch (template.is) {
    case 'time': {
      const { agoMs = 0, unique = false } = template
      return unique ? { leastAgoMs: agoMs, mostAgoMs: agoMs } : undefined
    }
    case 'object':
      return union(Object.values(template.fields).map(spanOf))
    case 'list': {
      const span = template.device === 'each' ? undefined : spanOf(template.of)
      if (span === undefined) return undefined
      const { leastAgoMs, mostAgoMs } = span
      return { leastAgoMs, mostAgoMs: mostAgoMs + (template.count - 1) * (template.everyMs ?? 0) }
    }
    default:
      return undefined
  }
}

export function union(spans: readonly (Span | undefined)[]): Span | undefined {
  const known = spans.filter(span => span !== undefined)
  if (known.length === 0) return undefined
  return {
    leastAgoMs: Math.min(...known.map(span => span.leastAgoMs)),
    mostAgoMs: Math.max(...known.map(span => span.mostAgoMs)),
  }
}

/**
 * A template as an expression. It stands where `device` is the request's device and, if its span is
 * defined, `at` the moment from which its unique times are told.
 */
export function expressionOf(template: Template, dialect: Dialect, indexes: Index[] = []): string {
  const inner = (part: Template): string => expressionOf(part, dialect, indexes)
  switch (template.is) {
    case 'device':
      return 'device'
    case 'number':
      return dialect.number(template.min, template.max, template.decimals)
    case 'time': {
      const { agoMs = 0, unique = false } = template
      const terms = indexes.map(index => `(${index.last} - ${index.name}) * ${index.everyMs}`)
      if (agoMs > 0) terms.unshift(String(agoMs))
      if (!unique) return dialect.time(terms.length === 0 ? '0' : terms.join(' + '))
      return dialect.uniqueTime(['at', ...terms].join(' - '))
    }
    case 'serial':
      return dialect.serial(template.prefix)
    case 'pick':
      return dialect.pick(template.of.map(dialect.literal))
    case 'constant':
      return dialect.literal(template.value)
    case 'object':
      return dialect.object(
        Object.entries(template.fields).map(([name, field]) => [name, inner(field)]),
      )
    case 'list':
      return listExpression(template, dialect, indexes)
  }
}

/** Of a list around a time: how far the item's time is before that of the last. */
interface Index {
  readonly name: string
  readonly last: number
  readonly everyMs: number
}

function listExpression(
  list: Extract<Template, { is: 'list' }>,
  dialect: Dialect,
  indexes: readonly Index[],
): string {
  const { of, count, device = 'same', everyMs = 0 } = list
  if (device === 'each') {
    const item = expressionOf(of, dialect)
    return dialect.listOfDevices({ item, count, span: spanOf(of) })
  }
  const name = `i${indexes.length}`
  const own = everyMs > 0 ? [...indexes, { name, last: count - 1, everyMs }] : [...indexes]
  return dialect.list({ item: expressionOf(of, dialect, own), count, index: name })
}

/** The path of a request, with text escaped where a template made it. */
export function pathOf(path: readonly PathPart[], dialect: Dialect): string {
  const parts = path.map(part =>
    typeof part === 'string' ? { text: part } : { expression: expressionOf(part, dialect) },
  )
  return dialect.path(parts)
}

/** `POST telemetry` → `['post', 'telemetry']`, for a name of a function. */
export function wordsOf(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(word => word !== '')
}

/** Every line that is not empty, moved to the right. */
export function indented(text: string, spaces: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(spaces))
}
