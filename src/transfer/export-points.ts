import type { SeriesPoints, Store, TimeRange } from '../ports/store.ts'
import { encodeCsv } from './csv/csv-encoder.ts'
import { encodeWideCsv } from './csv/wide-csv.ts'
import type { Format, Layout, TimeStyle } from './format.ts'
import { encodeNdjson } from './ndjson/ndjson-encoder.ts'
import { encodeParquet } from './parquet/parquet-encoder.ts'

export interface ExportRequest {
  readonly tenant: string
  readonly devices: readonly string[]
  /** Empty: every metric. */
  readonly metrics: readonly string[]
  readonly range: TimeRange
  readonly format: Format
  /** Parquet has a type for times and ignores this. */
  readonly time: TimeStyle
  /** Of CSV; absent: long. */
  readonly layout?: Layout
}

/** Devices a scan: their names go to the store with every page. */
const SCAN_DEVICES = 256

/**
 * The bytes of a file with all points of the request, series by series (in the wide layout time by time
 * of each device), as fast as they are taken:
 * no more than a few pages are in memory. Ending the iteration releases everything.
 *
 * @throws WeirError what the store throws, at any time of the iteration.
 */
export function exportPoints(
  store: Pick<Store, 'scan' | 'read'>,
  request: ExportRequest,
): AsyncGenerator<Buffer, void, void> {
  if (request.layout === 'wide') return encodeWideCsv(store, request)
  const points = scanAll(store, request)
  switch (request.format) {
    case 'csv':
      return encodeCsv(points, request)
    case 'ndjson':
      return encodeNdjson(points, request)
    case 'parquet':
      return encodeParquet(points)
  }
}

async function* scanAll(
  store: Pick<Store, 'scan'>,
  { tenant, devices, metrics, range }: ExportRequest,
): AsyncGenerator<readonly SeriesPoints[], void, void> {
  for (let at = 0; at < devices.length; at += SCAN_DEVICES) {
    const select = { tenant, devices: devices.slice(at, at + SCAN_DEVICES), metrics }
    yield* store.scan({ select, range })
  }
}
