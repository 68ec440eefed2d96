const STEPS = [
  [1e18, 'E'],
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const

const WORDS = [
  [1e12, ' trillion'],
  [1e9, ' billion'],
  [1e6, ' million'],
] as const

/** Three digits are more than a plan knows: 1.944e12 of `B` is `1.94 TB`. Decimal, as disks are sold. */
export function quantity(value: number, unit: string): string {
  const [factor, prefix] = STEPS.find(([least]) => value >= least) ?? [1, '']
  return `${threeDigits(value / factor)} ${prefix}${unit}`
}

/** `432 million`, `27,000`, `0.25`, `0.000278`: for people. */
export function grouped(value: number): string {
  if (value >= 1e15) return value.toExponential(1)
  const [factor, word] = WORDS.find(([least]) => value >= least) ?? [1, '']
  return `${(value / factor).toLocaleString('en-US', { maximumSignificantDigits: 3 })}${word}`
}

export const threeDigits = (value: number): number => Number(value.toPrecision(3))
