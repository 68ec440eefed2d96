import type { SeriesTable } from '../model/series-table.ts'
import type { LogPosition } from '../ports/log.ts'
import type { Detector } from './detectors/detector.ts'
import type { SeriesSlots } from './detectors/series-slots.ts'
import { readRecordFile, writeRecordFile } from './record-file.ts'

const NAMES_A_RECORD = 4096
const RECORD_BYTES = 1 << 20

interface Header {
  readonly version: 2
  /** The first entries that the state does not have yet. */
  readonly positions: readonly LogPosition[]
  readonly slots: number
  readonly clock: number
  readonly detectors: readonly { readonly name: string; readonly signature: string }[]
}

export interface AnalyticsState {
  readonly table: SeriesTable
  readonly slots: SeriesSlots
  readonly detectors: readonly Detector[]
}

/**
 * Writes the state and the positions that it stands for. The state must not change meanwhile: it
 * is written from where it is, not copied.
 */
export function saveState(
  path: string,
  state: AnalyticsState,
  positions: readonly LogPosition[],
): Promise<void> {
  return writeRecordFile(path, recordsOf(state, positions))
}

function* recordsOf(
  { table, slots, detectors }: AnalyticsState,
  positions: readonly LogPosition[],
): Iterable<Uint8Array> {
  const header: Header = {
    version: 2,
    positions,
    slots: slots.count,
    clock: slots.clock,
    detectors: detectors.map(({ name, signature }) => ({ name, signature })),
  }
  yield Buffer.from(JSON.stringify(header))
  for (let from = 0; from < slots.count; from += NAMES_A_RECORD) {
    const names: string[] = []
    for (let slot = from; slot < Math.min(from + NAMES_A_RECORD, slots.count); slot++) {
      const series = slots.seriesAt(slot)
      const { tenant, name } = table.deviceOf(series)
      names.push(tenant, name, table.metricOf(series))
    }
    yield Buffer.from(JSON.stringify(names))
  }
  yield* pieces(slots.usedAt())
  for (const detector of detectors) yield* pieces(detector.state(slots.count))
}

function* pieces(column: Float64Array): Iterable<Uint8Array> {
  const bytes = new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
  for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
    yield bytes.subarray(at, Math.min(at + RECORD_BYTES, bytes.length))
  }
}

/**
 * Brings back what `saveState` wrote, and returns its positions; undefined when there is no file,
 * or one of other detectors or settings: then nothing is restored.
 *
 * @throws Error when the file is damaged; nothing is restored.
 */
export async function restoreState(
  path: string,
  { table, slots, detectors }: AnalyticsState,
): Promise<readonly LogPosition[] | undefined> {
  const records = await readRecordFile(path)
  if (records === undefined) return undefined
  const header = JSON.parse(textOf(records.shift())) as Header
  const wanted = detectors.map(({ name, signature }) => ({ name, signature }))
  if (header.version !== 2 || JSON.stringify(header.detectors) !== JSON.stringify(wanted)) {
    return undefined
  }
  const names: string[] = []
  while (names.length < 3 * header.slots) {
    for (const name of JSON.parse(textOf(records.shift())) as string[]) names.push(name)
  }
  const usedAt = columnOf(records, header.slots)
  const series: number[] = []
  for (let at = 0; at < names.length; at += 3) {
    series.push(table.series(table.device(names[at], names[at + 1]), names[at + 2]))
  }
  const columns = detectors.map(detector => {
    detector.reserve(header.slots)
    return columnOf(records, detector.state(header.slots).length)
  })
  slots.restore(series, usedAt, header.clock)
  detectors.forEach((detector, i) => detector.state(header.slots).set(columns[i]))
  return header.positions
}

function textOf(record: Uint8Array | undefined): string {
  if (record === undefined) throw new Error('a record is missing')
  return Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString()
}

/** Takes the records of one column. */
function columnOf(records: Uint8Array[], length: number): Float64Array {
  const column = new Float64Array(length)
  const bytes = new Uint8Array(column.buffer)
  for (let at = 0; at < bytes.length;) {
    const record = records.shift()
    if (record === undefined || at + record.length > bytes.length) {
      throw new Error('a column has not the length that the header says')
    }
    bytes.set(record, at)
    at += record.length
  }
  return column
}
