import { sniffDelimiter } from '../../kit/csv-reader.ts'

const QUOTE = 34
const NEWLINE = 10
const SPACE = 32
const TAB = 9
const BYTE_ORDER_MARK = Buffer.from('\uFEFF')

/** Where the next byte stands: at a cell's beginning, behind it, in quotes, or behind a quote in them. */
type Place = 'begin' | 'cell' | 'quotes' | 'quote'

/**
 * Follows quotes through the bytes of a CSV file, to know which line breaks end a record. As to
 * `CsvReader`, a quote opens a cell only at its beginning: elsewhere it is an inch.
 */
export class OpenQuotes {
  #delimiter: number | undefined
  /** What came before the first line was there, which tells the delimiter. */
  #first: Buffer[] | undefined = []
  #place: Place = 'begin'

  /** Without a delimiter, that which the reader would find. */
  constructor(delimiter?: string) {
    this.#delimiter = delimiter?.charCodeAt(0)
  }

  /** The place after the last record that ends in these bytes, which follow those before; or 0. */
  lastEnd(bytes: Buffer): number {
    if (this.#first === undefined) return this.#follow(bytes)
    this.#first.push(bytes)
    if (!bytes.includes(NEWLINE)) return 0
    const first = Buffer.concat(this.#first)
    this.#first = undefined
    const text = first.indexOf(BYTE_ORDER_MARK) === 0 ? first.subarray(3) : first
    const line = text.toString('utf8', 0, text.indexOf(NEWLINE))
    this.#delimiter ??= sniffDelimiter(line).charCodeAt(0)
    // Where it is in these bytes, of all that came.
    const end = this.#follow(text)
    return end === 0 ? 0 : end - text.length + bytes.length
  }

  #follow(bytes: Buffer): number {
    let end = 0
    for (let at = 0; at < bytes.length;) {
      if (this.#place === 'quote') {
        this.#place = bytes[at] === QUOTE ? 'quotes' : 'cell'
        if (this.#place === 'quotes') at++
        continue
      }
      const quote = bytes.indexOf(QUOTE, at)
      const to = quote < 0 ? bytes.length : quote
      if (this.#place !== 'quotes') {
        const newline = bytes.subarray(at, to).lastIndexOf(NEWLINE)
        if (newline >= 0) end = at + newline + 1
        this.#place = this.#placeBehind(bytes.subarray(at, to))
      }
      if (quote < 0) break
      if (this.#place === 'quotes') this.#place = 'quote'
      else if (this.#place === 'begin') this.#place = 'quotes'
      at = quote + 1
    }
    return end
  }

  /** Whether a cell begins behind these bytes without quotes: white space in front belongs to it. */
  #placeBehind(bytes: Buffer): Place {
    let at = bytes.length
    while (at > 0 && this.#isPadding(bytes[at - 1])) at--
    if (at === 0) return this.#place
    return bytes[at - 1] === this.#delimiter || bytes[at - 1] === NEWLINE ? 'begin' : 'cell'
  }

  #isPadding(byte: number): boolean {
    return (byte === SPACE || byte === TAB) && byte !== this.#delimiter
  }
}
