/** The formats that points leave in and come back in. */
export const FORMATS = ['csv', 'ndjson', 'parquet'] as const
export type Format = (typeof FORMATS)[number]

/** A row a point, or a row a time of a device with a column a metric (CSV only). */
export const LAYOUTS = ['long', 'wide'] as const
export type Layout = (typeof LAYOUTS)[number]

/** How times are written: ISO 8601 with microseconds, or numbers since 1970. */
export const TIME_STYLES = ['iso', 'us', 'ms', 's'] as const
export type TimeStyle = (typeof TIME_STYLES)[number]

/** The name of the time column says how times are written, so that they are read back exactly. */
export const TIME_COLUMNS: Readonly<Record<TimeStyle, string>> = {
  iso: 'time',
  us: 'time_us',
  ms: 'time_ms',
  s: 'time_s',
}

/** The other columns of the long layout, in their order. */
export const LONG_COLUMNS = ['device_id', 'metric', 'value', 'text'] as const

/** About the size of a piece of text that is encoded or decoded in one go. */
export const PIECE_BYTES = 64 * 1024
