import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { refused } from '../mapping.ts'
import type { Format } from '../format.ts'
import type { Mapping } from '../mapping.ts'
import type { RefusedRow } from '../row-target.ts'
import { post, problemText } from './connection.ts'
import type { Connection } from './connection.ts'
import { csvParts } from './csv-parts.ts'
import type { ImportPart } from './import-part.ts'
import { ndjsonParts } from './ndjson-parts.ts'
import { parquetParts } from './parquet-parts.ts'

export interface UploadFile {
  readonly path: string
  readonly format: Format
  readonly mapping: Mapping
  /** The device of a CSV file that tells none. */
  readonly device: string
}

export interface UploadCounts {
  accepted: number
  refused: number
  /** The first refused rows, by their place in the file. */
  readonly rows: RefusedRow[]
  /** How much of the file is durable, 0 to 1. */
  done: number
}

const MAX_ROWS = 20
const TYPES: Readonly<Record<Format, string>> = {
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
}

/**
 * Sends a file to `POST /api/v1/import` in parts, one after the other, so that of the points of one
 * key the last one in the file wins. `counts` is kept up to date. Doing it again changes nothing.
 *
 * @throws WeirError `rejected` when Weir, or this side, cannot read the file; `retryable` when Weir
 *   cannot be reached.
 */
export async function upload(
  file: UploadFile,
  connection: Connection,
  counts: UploadCounts,
): Promise<void> {
  const parts = (await partsOf(file))[Symbol.asyncIterator]()
  try {
    let next = parts.next()
    for (;;) {
      const { done, value: part } = await next
      if (done === true) return
      // Made while this one is on its way; until it is awaited, a failure is not unhandled.
      next = parts.next()
      next.catch(() => undefined)
      await sendPart(part, connection, counts)
    }
  } finally {
    await parts.return?.()
  }
}

async function partsOf({
  path,
  format,
  mapping,
  device,
}: UploadFile): Promise<AsyncIterable<ImportPart>> {
  if (format === 'parquet') return parquetParts(path, mapping)
  const { size: bytes } = await stat(path)
  const file = { source: createReadStream(path), bytes, mapping, device }
  return format === 'csv' ? csvParts(file) : ndjsonParts(file)
}

async function sendPart(
  part: ImportPart,
  connection: Connection,
  counts: UploadCounts,
): Promise<void> {
  const { body, format, rowOf } = part
  const path = `/api/v1/import?${queryOf(part)}`
  const answer = await post(connection, path, { body, type: TYPES[format] })
  const { accepted = 0, rejected, rejectedTotal } = outcomeOf(answer)
  counts.accepted += accepted
  counts.refused += rejectedTotal + part.refused.length
  counts.done = part.done
  const rows = rejected.map(row => ({ ...row, index: rowOf(row.index) }))
  const own = part.refused.map(({ row, ...rest }) => ({ index: row, ...rest }))
  counts.rows.push(...[...own, ...rows].slice(0, MAX_ROWS - counts.rows.length))
}

function queryOf({ format, mapping }: ImportPart): string {
  const { timeUnit, metrics = [], ...columns } = mapping
  const query = new URLSearchParams({ format })
  for (const [name, value] of Object.entries({ ...columns, time_unit: timeUnit })) {
    if (value !== undefined) query.set(name, value)
  }
  for (const name of metrics) query.append('metrics', name)
  return query.toString()
}

interface PartOutcome {
  readonly accepted?: number
  readonly rejected: readonly RefusedRow[]
  readonly rejectedTotal: number
}

function outcomeOf(answer: { readonly status: number; readonly text: string }): PartOutcome {
  const { status, text } = answer
  if (status === 200) {
    const { accepted, rejected, rejected_total } = JSON.parse(text) as {
      accepted: number
      rejected: RefusedRow[]
      rejected_total: number
    }
    return { accepted, rejected, rejectedTotal: rejected_total }
  }
  const isRows = status === 400 || status === 403
  const { errors } = isRows ? (JSON.parse(text) as { errors?: RefusedRow[] }) : {}
  // A part of which nothing was good: the rows say why, and the next one may be better.
  if (errors !== undefined && errors.length > 0) {
    return { rejected: errors, rejectedTotal: errors.length }
  }
  if (/there are no points in the file/.test(text)) return { rejected: [], rejectedTotal: 0 }
  throw refused(problemText(answer))
}
