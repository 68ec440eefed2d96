import { CsvReader } from '../../kit/csv-reader.ts'
import { csvLayout, RecordingError } from '../../model/csv-layout.ts'
import { ownRows, SAMPLE_ROWS } from '../csv/csv-rows.ts'
import { DELIMITERS, metricNames, refused } from '../mapping.ts'
import type { Mapping } from '../mapping.ts'
import type { ImportPart } from './import-part.ts'
import { recordParts } from './record-parts.ts'

const QUOTE = 34
const NEWLINE = 10

export interface SourceFile {
  readonly source: AsyncIterable<Uint8Array>
  readonly bytes: number
  readonly mapping: Mapping
  /** The device of a file that tells none. */
  readonly device: string
}

/**
 * A CSV file in parts that end with a record, each with the header in front. What is found out by
 * looking at the first rows is said to Weir with each part, so that all are read alike.
 *
 * @throws WeirError `rejected` when the columns cannot be found.
 */
export async function* csvParts(file: SourceFile): AsyncGenerator<ImportPart, void, void> {
  const quotes = new OpenQuotes()
  const ends = {
    lastEnd: (bytes: Buffer) => quotes.lastEnd(bytes),
    endless: 'a record has no end; is a quote not closed?',
  }
  let header: Buffer | undefined
  let headerLines = 0
  let mapping = file.mapping
  let line = 0
  let sent = 0
  for await (const records of recordParts(file.source, ends)) {
    let body = records
    if (header === undefined) {
      header = records.subarray(0, firstEnd(records))
      headerLines = newlines(header)
      mapping = settled(records, file)
    } else body = Buffer.concat([header, records])
    const begin = sent === 0 ? headerLines : line
    const lines = headerLines
    line += newlines(records)
    sent += records.length
    yield {
      ...{ format: 'csv', mapping, body, refused: [], done: sent / Math.max(1, file.bytes) },
      rowOf: index => (index < lines ? index : begin + index - lines),
    }
  }
}

/** Follows quotes through a file, to know which line breaks end a record. */
class OpenQuotes {
  #open = false

  /** The place after the last record that ends in these bytes; 0 when none does. */
  lastEnd(bytes: Buffer): number {
    let end = 0
    for (let at = 0; ;) {
      const quote = bytes.indexOf(QUOTE, at)
      const to = quote < 0 ? bytes.length : quote
      if (!this.#open) {
        const found = bytes.subarray(at, to).lastIndexOf(NEWLINE)
        if (found >= 0) end = at + found + 1
      }
      if (quote < 0) return end
      this.#open = !this.#open
      at = quote + 1
    }
  }
}

function firstEnd(bytes: Buffer): number {
  let open = false
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === QUOTE) open = !open
    else if (bytes[i] === NEWLINE && !open) return i + 1
  }
  return bytes.length
}

function newlines(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}

/** The mapping with what the first rows tell: the time column, and the file's name as its device. */
function settled(first: Buffer, { mapping, device }: SourceFile): Mapping {
  const { delimiter } = mapping
  const reader = new CsvReader(delimiter === undefined ? undefined : DELIMITERS[delimiter])
  reader.push(first.toString())
  const header = reader.next()
  if (header === undefined) throw refused('the file is empty')
  if (ownRows(header, mapping) !== undefined) return mapping
  const whose = { ...mapping, device: mapping.device ?? `=${device}` }
  if (mapping.metric !== undefined) return whose
  const rows: string[][] = []
  for (let cells = reader.next(); cells !== undefined; cells = reader.next()) {
    if (rows.push(cells) >= SAMPLE_ROWS) break
  }
  try {
    const { timeColumn } = csvLayout(header, rows, {
      metrics: metricNames(mapping.metrics ?? ['*'], header),
      ...(mapping.time === undefined ? {} : { timeColumn: mapping.time }),
    })
    return { ...whose, time: header[timeColumn] }
  } catch (error) {
    if (error instanceof RecordingError) throw refused(error.message, error)
    throw error
  }
}
