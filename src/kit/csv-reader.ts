const DELIMITERS = [',', ';', '\t']
/** A record is refused when it is longer: most likely a quote was never closed. */
const MAX_RECORD_CHARACTERS = 4 << 20
const QUOTE = 34
const SPACE = 32

/** The text is no CSV; `line` is where, from 0. */
export class CsvError extends Error {
  override readonly name = 'CsvError'
  readonly line: number

  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

/**
 * Reads CSV (RFC 4180) as it comes: text goes in in pieces of any size, records come out. Quoted
 * cells keep what they hold, line breaks and white space too; other cells are trimmed. Lines may
 * end with LF or CRLF, a byte order mark is dropped, and empty lines are no records.
 */
export class CsvReader {
  /** Line on which the last record began, from 0. */
  line = 0
  #delimiter: string | undefined
  #text = ''
  #at = 0
  /** Place of the next quote from `#at` on; the text's length when there is none. */
  #quote = -1
  #nextLine = 0
  #started = false
  #ended = false
  #quoted: boolean[] | undefined

  /** Without a delimiter, the one of comma, semicolon and tab that splits the first line most. */
  constructor(delimiter?: string) {
    this.#delimiter = delimiter
  }

  get delimiter(): string | undefined {
    return this.#delimiter
  }

  push(text: string): void {
    const begun = this.#started || text === '' ? text : text.replace(/^\uFEFF/, '')
    this.#started ||= text !== ''
    this.#text = this.#at < this.#text.length ? this.#text.slice(this.#at) + begun : begun
    this.#at = 0
    this.#quote = -1
  }

  /** Nothing more comes: what is left is a record, with or without a line break. */
  end(): void {
    this.#ended = true
  }

  /** Whether a cell of the last record was in quotes. */
  wasQuoted(column: number): boolean {
    return this.#quoted?.[column] === true
  }

  /**
   * The cells of the next record; undefined when more text is needed, or all is read.
   *
   * @throws CsvError when a quote is not closed.
   */
  next(): string[] | undefined {
    for (;;) {
      const text = this.#text
      const from = this.#at
      if (from >= text.length) return undefined
      let end = text.indexOf('\n', from)
      if (end < 0) {
        if (!this.#ended) return this.#tooLong()
        end = text.length
      }
      this.#delimiter ??= sniffDelimiter(text.slice(from, end))
      if (this.#quote < from) {
        const found = text.indexOf('"', from)
        this.#quote = found < 0 ? text.length : found
      }
      if (this.#quote < end) return this.#quotedRecord()
      this.#at = end + 1
      this.line = this.#nextLine++
      this.#quoted = undefined
      if (text.charCodeAt(end - 1) === 13 && end > from) end--
      if (!isBlank(text, from, end)) return splitPlain(text, { from, end }, this.#delimiter)
    }
  }

  #tooLong(): undefined {
    if (this.#text.length - this.#at > MAX_RECORD_CHARACTERS) {
      const message = `a record is longer than ${MAX_RECORD_CHARACTERS} characters`
      throw new CsvError(`${message}; is a quote not closed?`, this.#nextLine)
    }
    return undefined
  }

  #quotedRecord(): string[] | undefined {
    const text = this.#text
    const delimiter = (this.#delimiter ?? ',').charCodeAt(0)
    const cells: string[] = []
    const quoted: boolean[] = []
    let lines = 1
    let at = this.#at
    for (;;) {
      let begin = at
      while (isPadding(text.charCodeAt(begin), delimiter)) begin++
      const isQuoted = text.charCodeAt(begin) === QUOTE
      let cell = ''
      if (isQuoted) {
        const close = closingQuote(text, begin + 1)
        if (close < 0) {
          if (this.#ended) throw new CsvError('a quote is not closed', this.#nextLine)
          return this.#tooLong()
        }
        cell = text.slice(begin + 1, close)
        lines += countOf(cell, '\n')
        if (cell.includes('"')) cell = cell.replaceAll('""', '"')
        at = close + 1
      }
      let end = at
      while (end < text.length && !isCellEnd(text.charCodeAt(end), delimiter)) end++
      if (end === text.length && !this.#ended) return this.#tooLong()
      cells.push(isQuoted ? cell + text.slice(at, end).trim() : text.slice(at, end).trim())
      quoted.push(isQuoted)
      at = end + 1
      if (end < text.length && text.charCodeAt(end) === delimiter) continue
      this.#at = at
      this.line = this.#nextLine
      this.#nextLine += lines
      this.#quoted = quoted
      return cells
    }
  }
}

/** The delimiter that splits the header into most cells; a comma when none splits it. */
export function sniffDelimiter(header: string): string {
  let best = ','
  let most = 1
  for (const delimiter of DELIMITERS) {
    const cells = csvCells(header, delimiter).length
    if (cells > most) [best, most] = [delimiter, cells]
  }
  return best
}

/** The cells of one record. */
export function csvCells(record: string, delimiter: string): string[] {
  // An open quote in a header that is only looked at is no error here.
  for (const text of [record, `${record}"`]) {
    const reader = new CsvReader(delimiter)
    reader.push(text)
    reader.end()
    try {
      return reader.next() ?? ['']
    } catch (error) {
      if (!(error instanceof CsvError)) throw error
    }
  }
  return ['']
}

function splitPlain(
  text: string,
  { from, end }: { from: number; end: number },
  delimiter: string,
): string[] {
  const cells: string[] = []
  let at = from
  for (;;) {
    const next = text.indexOf(delimiter, at)
    if (next < 0 || next >= end) break
    cells.push(trimmed(text, at, next))
    at = next + 1
  }
  cells.push(trimmed(text, at, end))
  return cells
}

function trimmed(text: string, from: number, to: number): string {
  if (from === to) return ''
  const cell = text.slice(from, to)
  const first = text.charCodeAt(from)
  const last = text.charCodeAt(to - 1)
  return first > SPACE && last > SPACE && first < 128 && last < 128 ? cell : cell.trim()
}

function isBlank(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (text.charCodeAt(i) !== SPACE) return false
  return true
}

function isPadding(code: number, delimiter: number): boolean {
  return (code === SPACE || code === 9) && code !== delimiter
}

function isCellEnd(code: number, delimiter: number): boolean {
  return code === delimiter || code === 10
}

/** Where the quote is that closes a cell; -1 when it is not here, or may be the first of two. */
function closingQuote(text: string, from: number): number {
  let at = from
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return -1
    if (text.charCodeAt(quote + 1) !== QUOTE) return quote
    at = quote + 2
  }
}

function countOf(text: string, part: string): number {
  let count = 0
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) count++
  return count
}
