import type { PointSink } from './point-sink.ts'

/** A number literal whose nearest float64 is another number, kept as the client wrote it. */
export class InexactNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }

  /** The literal as a time: nanoseconds since 1970 as a rule; NaN when it is no integer. */
  timeUs(): number {
    if (!/^\d{17,20}$/.test(this.source)) return NaN
    return Number((BigInt(this.source) + 500n) / 1000n)
  }
}

/**
 * Parses JSON and hands it to `decode`. `JSON.parse` rounds integers beyond 2^53 in silence, so
 * when the sink has met one, the text is parsed again with the literals at hand (the reviver's
 * `context.source`, ECMA-262 "JSON.parse source text access") and decoded anew, with an
 * `InexactNumber` where rounding changed the number. Ordinary data never pays for that.
 *
 * @throws SyntaxError when it is not JSON.
 */
export function decodeJson(text: string, sink: PointSink, decode: (json: unknown) => void): void {
  decode(JSON.parse(text))
  if (!sink.sawLargeInteger) return
  sink.restart()
  sink.exactNumbers = true
  let json: unknown
  try {
    json = JSON.parse(text, exactReviver)
  } catch (error) {
    // With a reviver the parser recurses, and runs out of stack long before it does without.
    if (!(error instanceof RangeError)) throw error
    sink.reject('', 'is nested too deeply', 'too_deep')
    return
  }
  decode(json)
}

/**
 * Parses one small text exactly, at once: for lines, which cannot be decoded anew by themselves.
 * The sink's `exactNumbers` is to be set with it.
 */
export function parseExactly(text: string): unknown {
  return /\d{16}/.test(text) ? JSON.parse(text, exactReviver) : JSON.parse(text)
}

/** Finite, and so large that integers near it may have no float64 of their own. */
function isLarge(value: number): boolean {
  return Number.isFinite(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER
}

function keepInexact(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || !isLarge(value)) return value
  const { source } = context
  if (source === undefined || !/^-?\d+$/.test(source)) return value
  return BigInt(source) === BigInt(value) ? value : new InexactNumber(source)
}

// TypeScript's type of a reviver does not know its third argument yet.
const exactReviver = keepInexact as (key: string, value: unknown) => unknown

/** Whether `value` is a JSON object (not an array, not null, not an `InexactNumber`). */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof InexactNumber)
  )
}
