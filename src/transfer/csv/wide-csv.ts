import { WeirError } from '../../ports/errors.ts'
import type { SeriesPoints, Store, TimeRange } from '../../ports/store.ts'
import { TIME_COLUMNS } from '../format.ts'
import type { TimeStyle } from '../format.ts'
import { numberText, TextPieces } from '../text-pieces.ts'
import { TimeWriter } from '../time-writer.ts'
import { textCell } from './csv-cell.ts'
import { timeWindows, type WindowSeries } from './time-windows.ts'

export interface WideRequest {
  readonly tenant: string
  readonly devices: readonly string[]
  /** Empty: every metric that has a point. */
  readonly metrics: readonly string[]
  readonly range: TimeRange
  readonly time: TimeStyle
}

/** More columns than spreadsheets take, and a window of time still has a few points of each. */
const MAX_COLUMNS = 4096
/** Devices of one look for metrics. */
const LOOK_DEVICES = 256

/**
 * The wide layout as CSV: a row is a time of a device, a column a metric, a cell without a point is
 * empty. Device by device, in rising time; only a window of time of one device is in memory.
 *
 * @throws WeirError `rejected` where there are too many metrics; and what the store throws.
 */
export async function* encodeWideCsv(
  store: Pick<Store, 'scan' | 'read'>,
  request: WideRequest,
): AsyncGenerator<Buffer, void, void> {
  const { tenant, range, time } = request
  const { metrics, devices } = await seriesThere(store, request)
  const pieces = new TextPieces()
  const times = new TimeWriter(time)
  const timeColumn = TIME_COLUMNS[time]
  const names = metrics.map(name => textCell(columnName(name, timeColumn)))
  pieces.add(`${[timeColumn, 'device_id', ...names].join(',')}\n`)
  for (const device of devices) {
    const select = { tenant, devices: [device], metrics }
    const name = textCell(device)
    for await (const series of timeWindows(store, { select, range })) {
      for (const [timeUs, cells] of rowsOf(series, metrics)) {
        pieces.add(`${times.text(timeUs)},${name}${cells}\n`)
        if (pieces.isFull) yield pieces.take()
      }
    }
  }
  yield pieces.take()
}

/** No two columns have one name. */
const columnName = (metric: string, timeColumn: string): string =>
  metric === timeColumn || metric === 'device_id' ? `${metric} (metric)` : metric

/** Metrics and devices with a point in the range: the columns have to be known before the first row. */
async function seriesThere(
  store: Pick<Store, 'read'>,
  { tenant, devices, metrics, range }: WideRequest,
): Promise<{ metrics: string[]; devices: string[] }> {
  const found = { metrics: new Set<string>(), devices: new Set<string>() }
  for (let at = 0; at < devices.length; at += LOOK_DEVICES) {
    const select = { tenant, devices: devices.slice(at, at + LOOK_DEVICES), metrics }
    for (const { device, metric, timestamps } of await store.read({
      ...{ select, range, limit: 1, order: 'asc' },
    })) {
      if (timestamps.length === 0) continue
      found.metrics.add(metric)
      found.devices.add(device)
    }
    if (found.metrics.size > MAX_COLUMNS) {
      const detail = `a wide file has at most ${MAX_COLUMNS} metrics: choose some, or the long layout`
      throw new WeirError('rejected', detail)
    }
  }
  return {
    metrics: [...found.metrics].sort(),
    devices: devices.filter(device => found.devices.has(device)),
  }
}

/** Each time once, rising, with the cells behind the device. */
function* rowsOf(
  series: ReadonlyMap<string, WindowSeries>,
  metrics: readonly string[],
): Generator<[timeUs: number, cells: string], void, void> {
  const columns = metrics.map(metric => new Column(series.get(metric)))
  for (const timeUs of distinctTimes(series.values())) {
    let cells = ''
    for (const column of columns) cells += `,${column.cellAt(timeUs)}`
    yield [timeUs, cells]
  }
}

/** The points of one metric, taken in rising time. */
class Column {
  readonly #parts: readonly SeriesPoints[]
  #part = 0
  #at = 0

  constructor(series: WindowSeries | undefined) {
    this.#parts = series ?? []
  }

  /** Empty where there is no point; asked for rising times, of which none that has one is left out. */
  cellAt(timeUs: number): string {
    while (this.#part < this.#parts.length) {
      const { timestamps, values, texts } = this.#parts[this.#part]
      if (this.#at < timestamps.length) {
        if (timestamps[this.#at] !== timeUs) return ''
        const at = this.#at++
        const text = texts?.[at]
        return text === undefined ? numberText(values[at]) : textCell(text)
      }
      this.#part++
      this.#at = 0
    }
    return ''
  }
}

function distinctTimes(all: Iterable<WindowSeries>): Float64Array {
  const parts = [...all].flat()
  const times = new Float64Array(parts.reduce((sum, part) => sum + part.timestamps.length, 0))
  let length = 0
  for (const { timestamps } of parts) {
    times.set(timestamps, length)
    length += timestamps.length
  }
  times.sort()
  let distinct = 0
  for (const time of times) {
    if (distinct === 0 || times[distinct - 1] !== time) times[distinct++] = time
  }
  return times.subarray(0, distinct)
}
