import type { SeriesBuckets, SeriesPoints } from '../../ports/store.ts'
import type { PackedSeries } from './protocol.ts'

export function unpackPoints(packed: PackedSeries): SeriesPoints[] {
  const texts = new Map(packed.texts)
  return columnsOf(packed).map(({ device, metric, columns }, i) => {
    const [timestamps, values] = columns
    const own = texts.get(i)
    if (own === undefined) return { device, metric, timestamps, values }
    return { device, metric, timestamps, values, texts: own }
  })
}

export function unpackBuckets(packed: PackedSeries): SeriesBuckets[] {
  return columnsOf(packed).map(({ device, metric, columns }) => {
    const [timestamps, ...rest] = columns
    return { device, metric, timestamps, columns: rest }
  })
}

interface SeriesColumns {
  readonly device: string
  readonly metric: string
  readonly columns: Float64Array[]
}

/** Views of the one buffer that came. */
function columnsOf({ devices, metrics, lengths, columnCount, columns }: PackedSeries) {
  const found: SeriesColumns[] = []
  let at = 0
  for (let i = 0; i < devices.length; i++) {
    const own: Float64Array[] = []
    for (let column = 0; column < columnCount; column++) {
      own.push(new Float64Array(columns, at, lengths[i]))
      at += 8 * lengths[i]
    }
    found.push({ device: devices[i], metric: metrics[i], columns: own })
  }
  return found
}
