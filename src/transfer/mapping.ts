import { WeirError } from '../ports/errors.ts'
import type { TimeUnit } from './time-reader.ts'

/**
 * Which columns of somebody's file are what. Weir's own files need none: they are known by their
 * columns.
 */
export interface Mapping {
  /** The column of the time; absent: found by its name or by what it holds (CSV). */
  readonly time?: string | undefined
  readonly timeUnit?: TimeUnit | undefined
  /** A column, or `=name` for one device. */
  readonly device?: string | undefined
  /** Wide files: the columns that are metrics, each or several joined by commas; `*`: all others. */
  readonly metrics?: readonly string[] | undefined
  /** Long files: the column with the metric's name, those with its value and its text. */
  readonly metric?: string | undefined
  readonly value?: string | undefined
  readonly text?: string | undefined
  /** CSV: what stands between cells; absent: found. */
  readonly delimiter?: string | undefined
}

export const DELIMITERS: Readonly<Record<string, string>> = {
  comma: ',',
  semicolon: ';',
  tab: '\t',
  pipe: '|',
}

/** Where the device of a row comes from. */
export type DeviceSource =
  | { readonly column: string; readonly name?: undefined }
  | { readonly name: string; readonly column?: undefined }

/** @throws WeirError `rejected` when the mapping does not say. */
export function deviceSource({ device }: Mapping): DeviceSource {
  if (device === undefined) {
    throw refused('say whose points these are: device=COLUMN, or device==NAME for one device')
  }
  return device.startsWith('=') ? { name: device.slice(1) } : { column: device }
}

/** Whether a mapping says anything of columns, so that it is not one of Weir's own files. */
export function hasColumns(mapping: Mapping): boolean {
  const { time, device, metrics, metric, value, text } = mapping
  return [time, device, metrics, metric, value, text].some(part => part !== undefined)
}

/** The metric columns asked for: names of the header first, lists of them joined by commas else. */
export function metricNames(
  metrics: readonly string[],
  header: readonly string[],
): 'all' | readonly string[] {
  if (metrics.includes('*')) return 'all'
  const names = metrics.flatMap(name =>
    header.includes(name) ? [name] : name.split(',').map(part => part.trim()),
  )
  return [...new Set(names)]
}

export function refused(message: string, cause?: unknown): WeirError {
  return new WeirError('rejected', message, cause === undefined ? {} : { cause })
}
