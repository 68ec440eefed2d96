import { CsvError, CsvReader } from '../../kit/csv-reader.ts'
import { DELIMITERS, refused } from '../mapping.ts'
import type { Mapping } from '../mapping.ts'
import { RowWriter } from '../row-target.ts'
import type { RowTarget } from '../row-target.ts'
import { mappedRows, ownRows, SAMPLE_ROWS } from './csv-rows.ts'
import type { PutRow } from './csv-rows.ts'

interface SampleRow {
  readonly cells: string[]
  readonly line: number
}

/** Reads a CSV file piece by piece: Weir's own, or any other with a mapping. */
export class CsvDecoder {
  /** The rest of the file cannot be read; what is wrong was refused as a row. */
  isBroken = false
  readonly #mapping: Mapping
  readonly #reader: CsvReader
  #header: string[] | undefined
  #sample: SampleRow[] = []
  #put: PutRow | undefined

  constructor(mapping: Mapping) {
    this.#mapping = mapping
    const { delimiter } = mapping
    this.#reader = new CsvReader(delimiter === undefined ? undefined : DELIMITERS[delimiter])
  }

  /**
   * Takes text, and finds the columns as soon as enough of it is there.
   *
   * @throws WeirError `rejected` when they cannot be found.
   */
  push(text: string): void {
    this.#reader.push(text)
    this.#look(false)
  }

  /** Nothing more comes. */
  end(): void {
    this.#reader.end()
    this.#look(true)
    if (this.#header === undefined) throw refused('the file is empty')
  }

  /** Puts all rows that are complete. */
  decode(target: RowTarget): void {
    const put = this.#put
    if (put === undefined || this.isBroken) return
    const writer = new RowWriter(target)
    const wasQuoted = this.#reader.wasQuoted.bind(this.#reader)
    const never = (): boolean => false
    for (const { cells, line } of this.#sample.splice(0)) {
      target.item(line)
      put(cells, writer, never)
    }
    try {
      for (let cells = this.#reader.next(); cells !== undefined; cells = this.#reader.next()) {
        target.item(this.#reader.line)
        put(cells, writer, wasQuoted)
      }
    } catch (error) {
      if (!(error instanceof CsvError)) throw error
      target.item(error.line)
      target.reject('', `${error.message}; nothing after it was read`, 'malformed')
      this.isBroken = true
    }
  }

  #look(ended: boolean): void {
    if (this.#put !== undefined) return
    try {
      this.#header ??= this.#reader.next()
      if (this.#header === undefined) return
      this.#put = ownRows(this.#header, this.#mapping)
      if (this.#put !== undefined) return
      while (this.#sample.length < SAMPLE_ROWS) {
        const cells = this.#reader.next()
        if (cells === undefined) break
        this.#sample.push({ cells, line: this.#reader.line })
      }
    } catch (error) {
      if (error instanceof CsvError)
        throw refused(`line ${error.line + 1}: ${error.message}`, error)
      throw error
    }
    if (!ended && this.#sample.length < SAMPLE_ROWS) return
    const rows = this.#sample.map(({ cells }) => cells)
    this.#put = mappedRows(this.#header, rows, this.#mapping)
  }
}
