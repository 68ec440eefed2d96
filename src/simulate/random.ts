/** The next number of a seeded sequence: at least 0, less than 1. */
export type Random = () => number

/**
 * A sequence of its own for each (seed, stream), so that a device's values do not depend on how
 * many devices there are, nor on which faults are asked for (sfc32, seeded by splitmix32).
 */
export function randomOf(seed: number, stream: number): Random {
  let state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) | 0
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0
    let z = state ^ (state >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return z ^ (z >>> 15)
  }
  let [a, b, c, counter] = [split(), split(), split(), 1]
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return (t >>> 0) / 4294967296
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** Close enough to a standard normal for a sensor's noise: the sum of four uniforms. */
export function noise(random: Random): number {
  return (random() + random() + random() + random() - 2) * 1.732
}
