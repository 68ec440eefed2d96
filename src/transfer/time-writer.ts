import type { TimeStyle } from './format.ts'

const MINUTE_US = 60_000_000
const THREE = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'))
const TWO = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'))

/** Writes times; the minute is remembered, because those of a series lie close together. */
export class TimeWriter {
  readonly #style: TimeStyle
  #minute = -1
  #prefix = ''

  constructor(style: TimeStyle) {
    this.#style = style
  }

  text(timeUs: number): string {
    switch (this.#style) {
      case 'iso':
        return this.#iso(timeUs)
      case 'us':
        return String(timeUs)
      case 'ms':
        return withFraction(Math.floor(timeUs / 1000), THREE[timeUs % 1000])
      case 's':
        return withFraction(Math.floor(timeUs / 1e6), sixDigits(timeUs % 1e6))
    }
  }

  /** Always with six digits: columns of one width, which every reader takes. */
  #iso(timeUs: number): string {
    const minute = Math.floor(timeUs / MINUTE_US)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#prefix = new Date(minute * 60_000).toISOString().slice(0, -7)
    }
    const rest = timeUs - minute * MINUTE_US
    const seconds = Math.floor(rest / 1e6)
    return `${this.#prefix}${TWO[seconds]}.${sixDigits(rest - seconds * 1e6)}Z`
  }
}

function sixDigits(micros: number): string {
  const ms = Math.floor(micros / 1000)
  return THREE[ms] + THREE[micros - ms * 1000]
}

function withFraction(whole: number, digits: string): string {
  const kept = digits.replace(/0+$/, '')
  return kept === '' ? String(whole) : `${whole}.${kept}`
}
