import { LONG_COLUMNS, TIME_COLUMNS } from '../format.ts'
import { deviceSource, hasColumns, metricNames, refused } from '../mapping.ts'
import type { DeviceSource, Mapping } from '../mapping.ts'

/** How the times of a column are kept, where its type says so. */
export type StoredTime = 'MILLIS' | 'MICROS' | 'NANOS' | 'DATE' | 'INT96'

/** A column that holds one value a row; nested ones are left out. */
export interface FlatColumn {
  readonly name: string
  readonly storedTime: StoredTime | undefined
}

/** Which columns of a table are what. */
export interface TableLayout {
  readonly time: FlatColumn
  readonly device: DeviceSource
  /** Long tables: the column of the metric's name; `values` are then the value, and the text. */
  readonly metric: string | undefined
  readonly values: readonly string[]
}

const [DEVICE, METRIC, VALUE, TEXT] = LONG_COLUMNS

/** @throws WeirError `rejected` when the columns are not there. */
export function tableLayout(columns: readonly FlatColumn[], mapping: Mapping): TableLayout {
  const names = columns.map(({ name }) => name)
  const named = (name: string): FlatColumn => {
    const found = columns.find(column => column.name === name)
    if (found !== undefined) return found
    throw refused(`no column is called "${name}"; there are: ${names.join(', ')}`)
  }
  if (!hasColumns(mapping) && isOwn(names)) {
    const values = [VALUE, TEXT]
    return { time: named(TIME_COLUMNS.iso), device: { column: DEVICE }, metric: METRIC, values }
  }
  const device = deviceSource(mapping)
  if (device.column !== undefined) named(device.column)
  const time = mapping.time === undefined ? findTime(columns) : named(mapping.time)
  const { metric, value, text } = mapping
  if (metric !== undefined) {
    if (value === undefined) throw refused('a mapping with metric=COLUMN needs value=COLUMN too')
    const values = text === undefined ? [value] : [value, text]
    for (const name of [metric, ...values]) named(name)
    return { time, device, metric, values }
  }
  const asked = metricNames(mapping.metrics ?? ['*'], names)
  const values =
    asked === 'all'
      ? names.filter(name => name !== time.name && name !== device.column)
      : asked.map(name => named(name).name)
  if (values.length === 0) throw refused('there is no column of values')
  return { time, device, metric: undefined, values }
}

function isOwn(names: readonly string[]): boolean {
  const own = [TIME_COLUMNS.iso, ...LONG_COLUMNS]
  return names.length === own.length && own.every(name => names.includes(name))
}

function findTime(columns: readonly FlatColumn[]): FlatColumn {
  const found =
    columns.find(({ storedTime }) => storedTime !== undefined) ??
    columns.find(({ name }) => /^(date[ _-]?time|time[ _-]?stamp|time|ts)$/i.test(name))
  if (found === undefined) throw refused('no column holds times; name the time column')
  return found
}
