const UNITS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3600e6,
  d: 86_400e6,
  w: 7 * 86_400e6,
}

/** Microseconds of `250ms`, `30s`, `5m`, `1h`, `1d`, `1w`; NaN when it is no interval. */
export function intervalUs(text: string): number {
  const match = /^(\d{1,9})(us|ms|s|m|h|d|w)$/.exec(text)
  if (match === null) return NaN
  const us = Number(match[1]) * UNITS[match[2]]
  return us > 0 ? us : NaN
}
