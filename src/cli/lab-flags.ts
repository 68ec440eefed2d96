import { parseQuantity } from '../config/units.ts'

/** The command line is wrong; the message says how. */
export class LabUsageError extends Error {
  override name = 'LabUsageError'
}

/** Also what `parseArgs` throws. */
export function isLabUsageError(error: unknown): error is Error {
  const { name, code } = error as NodeJS.ErrnoException
  return name === 'LabUsageError' || code?.startsWith('ERR_PARSE_ARGS') === true
}

type Texts = Readonly<Record<string, unknown>>

/** Flags that may be absent, in their own types. */
export class LabFlags {
  readonly #values: Texts

  constructor(values: Texts) {
    this.#values = values
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    return typeof value === 'string' ? value : undefined
  }

  /** `a,b` or `a b` in quotes. */
  list(name: string): readonly string[] | undefined {
    const items = this.text(name)
      ?.split(/[\s,]+/)
      .filter(item => item !== '')
    if (items?.length === 0) throw new LabUsageError(`--${name} needs a name`)
    return items === undefined ? undefined : [...new Set(items)]
  }

  whole(name: string, least = 1): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
    throw new LabUsageError(`--${name} must be a whole number of at least ${least}, not "${text}"`)
  }

  /** `200` or `200/s`. */
  rate(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text.replace(/\/s$/, ''))
    if (value >= 1 && value < Infinity) return value
    throw new LabUsageError(`--${name} must be at least 1 request a second, not "${text}"`)
  }

  factor(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (value > 1 && value <= 10) return value
    throw new LabUsageError(`--${name} must be a factor above 1 and at most 10, not "${text}"`)
  }

  /** `0.05` or `5%`. */
  share(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const isPercent = text.endsWith('%')
    const value = Number(isPercent ? text.slice(0, -1) : text) / (isPercent ? 100 : 1)
    if (text.trim() !== '' && value > 0 && value < 1) return value
    throw new LabUsageError(`--${name} must be a share below 1, as 0.05 or 5%, not "${text}"`)
  }

  durationMs(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = parseQuantity(text, 'ms')
    if (value !== undefined && value > 0) return value
    throw new LabUsageError(`--${name} must be a duration such as 500ms, 10s or 2m, not "${text}"`)
  }
}

/** Without the keys that are undefined, so that they override nothing. */
export function defined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
