/** Units that configuration values may be written in. */
export type Unit = 'bytes' | 'ms'

// Sizes are powers of 1024 whichever way they are written, as in PostgreSQL and the JVM.
const FACTORS: Record<Unit, readonly (readonly [name: string, factor: number])[]> = {
  bytes: [
    ['TB', 1024 ** 4],
    ['GB', 1024 ** 3],
    ['MB', 1024 ** 2],
    ['KB', 1024],
    ['B', 1],
  ],
  ms: [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ],
}

export const UNIT_EXAMPLES: Record<Unit, string> = {
  bytes: 'a size such as 64MB, 512KB or a number of bytes',
  ms: 'a duration such as 5m, 30s, 250ms or a number of milliseconds',
}

/** `64MB` → 67108864, `5m` → 300000, `250` → 250; undefined where it is neither. */
export function parseQuantity(text: string, unit: Unit): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  if (match === null) return undefined
  const [, digits = '', suffix = ''] = match
  const factor = suffix === '' ? 1 : factorOf(suffix, unit)
  if (factor === undefined) return undefined
  // Rounds away what binary fractions leave over (1.1 KB); a fraction of a byte is not an answer.
  const value = Math.round(Number(digits) * factor)
  return Number.isSafeInteger(value) ? value : undefined
}

function factorOf(suffix: string, unit: Unit): number | undefined {
  // MiB, Mb and m are all written for MB; durations are case-sensitive (M is no minute).
  const name = unit === 'ms' ? suffix : suffix.toUpperCase().replace(/^([KMGT])(I?B)?$/, '$1B')
  return FACTORS[unit].find(([known]) => known === name)?.[1]
}

/** The shortest exact way to write a value: 67108864 bytes → `64MB`. */
export function formatQuantity(value: number, unit: Unit): string {
  for (const [name, factor] of FACTORS[unit]) {
    if (value >= factor && value % factor === 0) return `${value / factor}${name}`
  }
  return `${value}${unit === 'ms' ? 'ms' : 'B'}`
}
