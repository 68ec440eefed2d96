import type { SeriesPoints } from '../../ports/store.ts'
import { PointBuffer } from './point-buffer.ts'
import { scan } from './scan.ts'
import type { FoundBlock, Receiver, ScanContext, ScanRange } from './scan.ts'

/** What a read of one series gives, without the names. */
export type Points = Omit<SeriesPoints, 'device' | 'metric'>

const out = new PointBuffer(4096)
const block = new PointBuffer(4096)

/** Collects up to `limit` points, in the order of the scan. */
class Collector implements Receiver {
  readonly #limit: number
  readonly #rising: boolean

  constructor(limit: number, rising: boolean) {
    this.#limit = limit
    this.#rising = rising
    out.clear()
  }

  points(points: PointBuffer, from: number, to: number): boolean {
    const room = this.#limit - out.length
    if (this.#rising) out.append(points, from, Math.min(to, from + room))
    else out.appendReversed(points, Math.max(from, to - room), to)
    return out.length < this.#limit
  }

  block(found: FoundBlock): boolean {
    const { count } = found.header
    if (this.#rising && out.length + count <= this.#limit) {
      found.decodeOnto(out)
      return out.length < this.#limit
    }
    block.clear()
    found.decodeOnto(block)
    return this.points(block, 0, count)
  }
}

/** The first `limit` points of a series in the order asked for; undefined when there are none. */
export function readPoints(context: ScanContext, range: Required<ScanRange>): Points | undefined {
  if (!(range.limit > 0)) return undefined
  scan(context, range, new Collector(range.limit, range.order === 'asc'))
  const { length } = out
  if (length === 0) return undefined
  const texts = out.textsOf(0, length)
  const timestamps = out.timestamps.slice(0, length)
  const values = out.values.slice(0, length)
  return texts === undefined ? { timestamps, values } : { timestamps, values, texts }
}
