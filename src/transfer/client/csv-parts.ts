import { CsvReader } from '../../kit/csv-reader.ts'
import { csvLayout, RecordingError } from '../../model/csv-layout.ts'
import { ownRows, SAMPLE_ROWS } from '../csv/csv-rows.ts'
import { DELIMITERS, metricNames, refused } from '../mapping.ts'
import type { Mapping } from '../mapping.ts'
import type { ImportPart } from './import-part.ts'
import { OpenQuotes } from './open-quotes.ts'
import { recordParts } from './record-parts.ts'

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
  const delimiter = delimiterOf(file.mapping)
  const quotes = new OpenQuotes(delimiter)
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
      header = records.subarray(0, firstEnd(records, new OpenQuotes(delimiter)))
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

/** The place after the first record. */
function firstEnd(bytes: Buffer, quotes: OpenQuotes): number {
  for (let at = 0, end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
    if (quotes.lastEnd(bytes.subarray(at, end + 1)) > 0) return end + 1
    at = end + 1
  }
  return bytes.length
}

function newlines(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}

const delimiterOf = ({ delimiter }: Mapping): string | undefined =>
  delimiter === undefined ? undefined : DELIMITERS[delimiter]

/** The mapping with what the first rows tell: the time column, and the file's name as its device. */
function settled(first: Buffer, { mapping, device }: SourceFile): Mapping {
  const reader = new CsvReader(delimiterOf(mapping))
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
