import { parse as parseYaml } from 'yaml'
import { parseAddress } from './address.ts'
import { brokerUrlProblem } from './broker-url.ts'
import type { SchemaNode } from './option.ts'
import type { Problem } from './problem.ts'
import { natsServerProblem, postgresUrlProblem, redisUrlProblem } from './server-url.ts'
import { suggestion } from './suggestion.ts'
import { topicFilterProblem } from './topic-filter.ts'
import { topicTemplateProblem } from './topic-template.ts'
import { parseQuantity, UNIT_EXAMPLES } from './units.ts'

/** What somebody wrote for one option. */
export interface Given {
  readonly path: string
  readonly source: string
  readonly value: unknown
  /** From a flag or a variable, where everything is text and `8` may mean a number. */
  readonly isText: boolean
}

type Checked = { readonly value: unknown } | { readonly problems: readonly Problem[] }

const TRUE = new Set(['true', '1', 'yes', 'on'])
const FALSE = new Set(['false', '0', 'no', 'off'])

/** The value in its own type, or what is wrong with it. */
export function checkValue(node: SchemaNode, given: Given): Checked {
  if (node.enum !== undefined) return checkChoice(node.enum, given)
  switch (node.type) {
    case 'boolean':
      return checkBoolean(given)
    case 'integer':
      return checkInteger(node, given)
    case 'number':
      return checkNumber(node, given)
    case 'array':
      return checkArray(node, given)
    case 'object':
      return checkObject(node, given)
    default:
      return checkString(node, given)
  }
}

function problem({ path, source }: Given, message: string, hint?: string): Checked {
  return { problems: [{ path, source, message, ...(hint === undefined ? {} : { hint }) }] }
}

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value)

function checkChoice(names: readonly string[], given: Given): Checked {
  if (typeof given.value === 'string' && names.includes(given.value)) return given
  const meant = suggestion(String(given.value), names)
  const hint = meant === undefined ? undefined : `Did you mean ${meant}?`
  return problem(given, `${shown(given.value)} is not one of ${names.join(', ')}`, hint)
}

function checkBoolean(given: Given): Checked {
  const { value } = given
  if (typeof value === 'boolean') return given
  if (given.isText && TRUE.has(String(value).toLowerCase())) return { value: true }
  if (given.isText && FALSE.has(String(value).toLowerCase())) return { value: false }
  return problem(given, `${shown(value)} is not true or false`)
}

function checkInteger(node: SchemaNode, given: Given): Checked {
  const { unit } = node
  let { value } = given
  if (typeof value === 'string' && unit !== undefined) value = parseQuantity(value, unit)
  else if (typeof value === 'string' && given.isText && /^[\d_]+$/.test(value)) {
    value = Number(value.replaceAll('_', ''))
  }
  if (!Number.isSafeInteger(value)) {
    const wanted = unit === undefined ? 'a whole number' : UNIT_EXAMPLES[unit]
    return problem(given, `${shown(given.value)} is not ${wanted}`)
  }
  return checkBounds(node, given, value as number)
}

function checkNumber(node: SchemaNode, given: Given): Checked {
  const { value } = given
  const isNumeral = given.isText && /^-?\d+(\.\d+)?$/.test(String(value))
  const number = isNumeral ? Number(value) : value
  if (typeof number === 'number' && Number.isFinite(number)) return checkBounds(node, given, number)
  return problem(given, `${shown(value)} is not a number`)
}

function checkBounds(node: SchemaNode, given: Given, value: number): Checked {
  const { minimum = 0, maximum = Infinity } = node
  if (value < minimum) {
    return problem(given, `${shown(given.value)} is below the least, ${minimum}`)
  }
  if (value > maximum) {
    return problem(given, `${shown(given.value)} is above the most, ${maximum}`)
  }
  return { value }
}

function checkString(node: SchemaNode, given: Given): Checked {
  const { value } = given
  if (typeof value !== 'string') return problem(given, `${shown(value)} is not text`)
  if (value.length < (node.minLength ?? 0)) return problem(given, 'must not be empty')
  if (node.format === 'address' && parseAddress(value) === undefined) {
    return problem(given, `${shown(value)} is not HOST:PORT`, 'For example 127.0.0.1:8080')
  }
  if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(value)) {
    return problem(given, `${shown(value)} does not match ${node.pattern}`)
  }
  const wrong = node.format === undefined ? undefined : FORMATS[node.format]?.(value)
  if (wrong === undefined) return given
  // Somebody may have put a password into a url.
  const isSecret = node.writeOnly === true || node.format === 'broker-url'
  return problem(given, `${isSecret ? 'it' : shown(value)} ${wrong}`)
}

/** What is wrong with a text of a format, if anything. */
const FORMATS: Readonly<Record<string, (text: string) => string | undefined>> = {
  'topic-template': topicTemplateProblem,
  'topic-filter': topicFilterProblem,
  'broker-url': brokerUrlProblem,
  'postgres-url': postgresUrlProblem,
  'redis-url': redisUrlProblem,
  'nats-server': natsServerProblem,
}

function checkArray(node: SchemaNode, given: Given): Checked {
  let { value } = given
  if (typeof value === 'string' && given.isText) {
    try {
      value = parseYaml(value)
    } catch {
      return problem(given, 'is not a JSON or YAML list')
    }
    // `HOST:PORT,HOST:PORT`, as most programs take it.
    if (typeof value === 'string' && node.items?.type === 'string') value = value.split(/\s*,\s*/)
  }
  if (!Array.isArray(value)) {
    return problem(
      given,
      `${node.items?.writeOnly === true ? 'it' : shown(given.value)} is not a list`,
    )
  }
  const items = value.map((item, i) =>
    checkValue(node.items ?? {}, { ...given, path: `${given.path}[${i}]`, value: item }),
  )
  const problems = items.flatMap(item => ('problems' in item ? item.problems : []))
  if (problems.length > 0) return { problems }
  return { value: items.map(item => ('value' in item ? item.value : undefined)) }
}

function checkObject(node: SchemaNode, given: Given): Checked {
  const { value, path } = given
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return problem(given, `${shown(value)} is not a set of names and values`)
  }
  const known = node.properties ?? {}
  const result: Record<string, unknown> = {}
  const problems: Problem[] = []
  for (const [name, child] of Object.entries(value)) {
    const at = { ...given, path: `${path}.${name}`, value: child }
    const checked = Object.hasOwn(known, name)
      ? checkValue(known[name] ?? {}, at)
      : problem(at, 'is not known', knownNames(name, known))
    if ('problems' in checked) problems.push(...checked.problems)
    else result[name] = checked.value
  }
  for (const [name, child] of Object.entries(known)) {
    if (Object.hasOwn(value, name) || Object.hasOwn(result, name)) continue
    const standard = defaultOf(child)
    if (standard !== undefined) result[name] = standard
  }
  for (const name of node.required ?? []) {
    if (!Object.hasOwn(value, name) && !Object.hasOwn(result, name)) {
      problems.push({ path: `${path}.${name}`, source: given.source, message: 'is missing' })
    }
  }
  return problems.length > 0 ? { problems } : { value: result }
}

/** Of an option, or of a section within an item of a list: all that its options say. */
function defaultOf({ default: value, type, properties = {} }: SchemaNode): unknown {
  if (type !== 'object') return structuredClone(value)
  const entries = Object.entries(properties).map(([name, child]) => [name, defaultOf(child)])
  return Object.fromEntries(entries.filter(([, standard]) => standard !== undefined))
}

function knownNames(name: string, known: Readonly<Record<string, unknown>>): string {
  const meant = suggestion(name, Object.keys(known))
  return meant === undefined
    ? `Known here: ${Object.keys(known).join(', ')}`
    : `Did you mean ${meant}?`
}
