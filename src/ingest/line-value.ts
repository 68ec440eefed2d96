import { InexactNumber } from './json.ts'

export type FieldValue =
  { readonly value: unknown; readonly problem?: undefined } | { readonly problem: string }

const FLOAT = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/
const INTEGER = /^-?\d+i$/
const UNSIGNED = /^\d+u$/
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['t', 'T', 'true', 'True', 'TRUE'].map(word => [word, true] as const),
  ...['f', 'F', 'false', 'False', 'FALSE'].map(word => [word, false] as const),
])
const [INT64_MIN, INT64_MAX, UINT64_MAX] = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n - 1n]
/** More digits than any integer needs; a longer one would only cost time. */
const MAX_DIGITS = 1000

/**
 * A field's value that is no string. A float is what `Number` makes of it (infinite when it is
 * beyond the range, which the sink refuses); an integer that has no float64 is an `InexactNumber`.
 */
export function readFieldValue(token: string): FieldValue {
  if (FLOAT.test(token)) return { value: Number(token) }
  const boolean = BOOLEANS.get(token)
  if (boolean !== undefined) return { value: boolean }
  if (INTEGER.test(token)) return integer(token, INT64_MIN, INT64_MAX)
  if (UNSIGNED.test(token)) return integer(token, 0n, UINT64_MAX)
  if (token === '') return { problem: 'has no value' }
  if (token.startsWith('"')) return { problem: 'is a string without its closing quote' }
  const shown = token.length > 50 ? `${token.slice(0, 50)}…` : token
  return { problem: `${JSON.stringify(shown)} is no number, integer (5i), boolean or "string"` }
}

function integer(token: string, least: bigint, most: bigint): FieldValue {
  const kind = token.endsWith('u') ? 'an unsigned integer' : 'an integer'
  const digits = token.slice(0, -1)
  if (digits.length > MAX_DIGITS) return { problem: `is beyond the range of ${kind} of 64 bits` }
  const value = Number(digits)
  if (Number.isSafeInteger(value)) return { value }
  const exact = BigInt(digits)
  if (exact < least || exact > most) return { problem: `is beyond the range of ${kind} of 64 bits` }
  if (exact === BigInt(value)) return { value }
  return { value: new InexactNumber(String(exact)) }
}
