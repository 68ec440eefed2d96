/** One field of a body: what it takes, for the check, for the OpenAPI document, for the message. */
export type Field =
  | {
      readonly kind: 'number'
      readonly min: number
      readonly max: number
      readonly isWhole?: boolean
      readonly default?: number
      readonly meaning: string
    }
  | {
      readonly kind: 'choice'
      readonly of: readonly string[]
      readonly default: string
      readonly meaning: string
    }
  | { readonly kind: 'name'; readonly default: string; readonly meaning: string }

export type Fields = Readonly<Record<string, Field>>

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/
export const NAME_PATTERN = NAME.source

/** What of the body is wrong, one line a field, and the values with their defaults. */
export interface FieldValues {
  readonly problems: readonly string[]
  /** Only where there are no problems. */
  number(name: string): number
  optional(name: string): number | undefined
  text(name: string): string
}

export function readFields(fields: Fields, body: unknown): FieldValues {
  const problems: string[] = []
  const values = new Map<string, number | string>()
  const given = body === undefined ? {} : body
  if (!isRecord(given)) problems.push(`the body must be a JSON object, not ${shown(given)}`)
  else {
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(fields, name)) {
        problems.push(`${shown(name)} is no field (there are ${Object.keys(fields).join(', ')})`)
      }
    }
    for (const [name, field] of Object.entries(fields)) {
      const value = Object.hasOwn(given, name) ? given[name] : field.default
      if (value === undefined) continue
      if (accepts(field, value)) values.set(name, value as number | string)
      else problems.push(`${name} must be ${wanted(field)}, not ${shown(value)}`)
    }
  }
  return {
    problems,
    number: name => values.get(name) as number,
    optional: name => values.get(name) as number | undefined,
    text: name => values.get(name) as string,
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function accepts(field: Field, value: unknown): boolean {
  if (field.kind === 'choice') return field.of.includes(value as string)
  if (field.kind === 'name') return typeof value === 'string' && NAME.test(value)
  if (typeof value !== 'number' || (field.isWhole === true && !Number.isInteger(value)))
    return false
  return value >= field.min && value <= field.max
}

function wanted(field: Field): string {
  if (field.kind === 'choice') return field.of.map(choice => `"${choice}"`).join(' or ')
  if (field.kind === 'name') return 'a name of at most 40 letters, digits, "_", "." and "-"'
  const what = field.isWhole === true ? 'a whole number' : 'a number'
  return `${what} from ${field.min} to ${field.max}`
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)} …` : text
}
