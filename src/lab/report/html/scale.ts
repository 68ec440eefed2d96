import { figure } from '../../analysis/causes/figure.ts'

/** From values to places on the page. */
export interface Scale {
  at(value: number): number
  readonly ticks: readonly Tick[]
}

export interface Tick {
  readonly value: number
  readonly label: string
}

interface Range {
  readonly from: number
  readonly to: number
}

const SUFFIXES: readonly [number, string][] = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
]

/** From 0 to a round number at or above `max`. */
export function linearScale(max: number, place: Range): Scale {
  const step = roundStep(Math.max(max, 1e-9) / 3)
  const count = Math.max(1, Math.ceil(max / step - 1e-9))
  const top = count * step
  const values = Array.from({ length: count + 1 }, (_, i) => i * step)
  return {
    at: value => place.from + (Math.min(value, top) / top) * (place.to - place.from),
    ticks: values.map(value => ({ value, label: short(value) })),
  }
}

/** Time from the start of a run, in seconds. */
export function timeScale(ms: number, place: Range): Scale {
  const step = roundStep(Math.max(ms / 1000, 1) / 4)
  const count = Math.floor(ms / 1000 / step)
  const values = Array.from({ length: count + 1 }, (_, i) => i * step * 1000)
  return {
    at: value => place.from + (value / Math.max(ms, 1)) * (place.to - place.from),
    ticks: values.map(value => ({ value, label: `${figure(value / 1000)} s` })),
  }
}

/** What is outside lies on the border. */
export function logScale({ min, max }: { min: number; max: number }, place: Range): Scale {
  const low = Math.log(min)
  const high = Math.max(Math.log(max), low + 0.1)
  const share = (value: number): number => (Math.log(Math.max(value, min)) - low) / (high - low)
  return {
    at: value => place.from + Math.min(1, share(value)) * (place.to - place.from),
    ticks: logTicks(min, max).map(value => ({ value, label: short(value) })),
  }
}

/** For ranges like 0.8 to 1.3. */
const FINE = [1, 1.1, 1.2, 1.3, 1.5, 1.7, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9]

function logTicks(min: number, max: number): number[] {
  for (const digits of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], FINE]) {
    const values: number[] = []
    for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
      for (const digit of digits) {
        const value = Number((digit * 10 ** power).toPrecision(2))
        if (value >= min * 0.999 && value <= max * 1.001) values.push(value)
      }
    }
    if (values.length >= 3) return values
  }
  return [Number(min.toPrecision(2)), Number(max.toPrecision(2))]
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  const digit = [1, 2, 2.5, 5, 10].find(candidate => candidate * power >= rough * 0.999) ?? 10
  return digit * power
}

function short(value: number): string {
  const [size, suffix] = SUFFIXES.find(([least]) => Math.abs(value) >= least) ?? [1, '']
  return `${figure(value / size)}${suffix}`
}

/**
 * Moves labels apart that are closer than `gap`, as little as it takes, within the bounds; in the
 * order of the places given.
 */
export function spread(
  places: readonly number[],
  { gap, from, to }: Range & { readonly gap: number },
): number[] {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b])
  const moved = [...places]
  let last = from - gap
  for (const i of order) last = moved[i] = Math.max(places[i], last + gap)
  let next = to + gap
  for (const i of [...order].reverse()) next = moved[i] = Math.min(moved[i], next - gap)
  return moved
}
