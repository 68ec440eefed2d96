import type { SeriesPoints } from '../ports/store.ts'

/** Points of one series, without its names. */
type Points = Omit<SeriesPoints, 'device' | 'metric'>

/**
 * Largest triangle three buckets (Steinarsson 2013): keeps the first and the last point, and of
 * each bucket between the one that makes the largest triangle with the point kept before and the
 * average of the bucket after.
 */
export function downsample(points: Points, maxPoints: number): Points {
  const { timestamps, values } = points
  const count = timestamps.length
  if (count <= maxPoints) return points
  if (maxPoints < 2) return pick(points, Int32Array.of(0).subarray(0, Math.max(0, maxPoints)))
  const kept = new Int32Array(maxPoints)
  const size = (count - 2) / (maxPoints - 2)
  let previous = 0
  for (let bucket = 0; bucket < maxPoints - 2; bucket++) {
    const from = Math.floor(bucket * size) + 1
    const to = Math.floor((bucket + 1) * size) + 1
    const nextTo = Math.min(Math.floor((bucket + 2) * size) + 1, count)
    let time = 0
    let value = 0
    const next = Math.min(to, count - 1)
    // Times relative to the point before, or their products lose digits.
    const origin = timestamps[previous]
    for (let i = next; i < nextTo; i++) {
      time += timestamps[i] - origin
      value += values[i]
    }
    time /= nextTo - next
    value /= nextTo - next
    let largest = -1
    let chosen = from
    for (let i = from; i < to; i++) {
      const area = Math.abs(
        time * (values[i] - values[previous]) -
          (timestamps[i] - origin) * (value - values[previous]),
      )
      if (area > largest) {
        largest = area
        chosen = i
      }
    }
    kept[bucket + 1] = chosen
    previous = chosen
  }
  kept[maxPoints - 1] = count - 1
  return pick(points, kept)
}

/** The points that are numbers; a chart has no place for the others. */
export function numericPoints({ timestamps, values, texts }: Points): Points {
  if (texts === undefined) return { timestamps, values }
  const places: number[] = []
  for (let i = 0; i < timestamps.length; i++) if (texts[i] === undefined) places.push(i)
  return pick({ timestamps, values }, Int32Array.from(places))
}

function pick({ timestamps, values }: Points, places: Int32Array): Points {
  return {
    timestamps: Float64Array.from(places, i => timestamps[i]),
    values: Float64Array.from(places, i => values[i]),
  }
}
