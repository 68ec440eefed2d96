import { readFieldValue } from './line-value.ts'

const [TAB, LF, CR, SPACE, QUOTE, HASH, COMMA, EQUALS, BACKSLASH] = [
  9, 10, 13, 32, 34, 35, 44, 61, 92,
]

/** Far beyond what anybody sends; without them one hostile line takes all time or memory. */
const MAX_TAGS = 256
const MAX_FIELDS = 10_000

const NOTHING: Buffer = Buffer.alloc(0)

export interface LineTag {
  readonly key: string
  readonly value: string
}

export interface LineField {
  readonly key: string
  /** Number, boolean, text, or an `InexactNumber`. */
  readonly value: unknown
  /** Where the value stands, quotes included. */
  readonly from: number
  readonly to: number
}

export interface LineProblem {
  /** The tag or field; empty for the line. */
  readonly field: string
  readonly detail: string
}

/** One line as it was read. */
export interface Line {
  readonly measurement: string
  readonly tags: readonly LineTag[]
  readonly fields: readonly LineField[]
  /** Measurement and tags are the bytes [from, headTo). */
  readonly from: number
  readonly headTo: number
  /** The digits of the time are [timeFrom, timeTo): equal when there are none. */
  readonly timeFrom: number
  readonly timeTo: number
}

/** Thrown and caught here only, once a bad line: without the stack that an error takes time for. */
class Malformed {
  readonly field: string
  readonly detail: string

  constructor(field: string, detail: string) {
    // It may be of any length, and is sent back.
    this.field = field.length > 100 ? `${field.slice(0, 100)}…` : field
    this.detail = detail
  }
}

/**
 * Reads any line of the InfluxDB line protocol:
 *
 *     measurement[,tag=value…] field=value[,field=value…] [time]
 *
 * A backslash escapes comma, space and (but in a measurement) `=`; before anything else it is a
 * backslash. A string is `"…"` with `\"` and `\\`, may hold newlines, and is one only if its closing
 * quote is followed by what may follow a value. Blanks may stand at both ends of a line and be many
 * between its parts; it ends with LF, CRLF or the body. `#` begins a comment.
 *
 * This is the general way, which knows everything and explains errors; `LineScanner` is the fast one.
 */
export class LineParser {
  /** Where the next line begins, after `parse`. */
  end = 0
  problem: LineProblem | undefined
  #bytes: Buffer = NOTHING
  #at = 0

  /** The line that begins at `at`; undefined when it is blank, a comment, or has a `problem`. */
  parse(bytes: Buffer, at: number): Line | undefined {
    this.#bytes = bytes
    this.#at = at
    this.problem = undefined
    this.#skipBlanks()
    if (this.#isEnd(this.#at)) {
      this.end = this.#afterEnd(this.#at)
      return undefined
    }
    if (bytes[this.#at] === HASH) {
      this.end = this.#afterEnd(this.#newline(this.#at))
      return undefined
    }
    try {
      const line = this.#line()
      this.end = this.#afterEnd(this.#at)
      return line
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      this.problem = error
      this.end = this.#afterEnd(this.#endOfBad(at))
      return undefined
    }
  }

  /** Lets go of the body. */
  close(): void {
    this.#bytes = NOTHING
  }

  #line(): Line {
    const from = this.#at
    const measurement = this.#name(false)
    if (measurement === '') throw new Malformed('', 'has no measurement')
    const tags = this.#tags()
    const headTo = this.#at
    this.#skipBlanks()
    const fields = this.#fields()
    this.#skipBlanks()
    const timeFrom = this.#at
    while (!this.#isEnd(this.#at) && !isBlank(this.#bytes[this.#at])) this.#at++
    const timeTo = this.#at
    this.#skipBlanks()
    if (!this.#isEnd(this.#at)) throw new Malformed('', 'has something behind its time')
    return { measurement, tags, fields, from, headTo, timeFrom, timeTo }
  }

  #tags(): LineTag[] {
    const tags: LineTag[] = []
    while (this.#take(COMMA)) {
      const key = this.#name(true)
      if (key === '') throw new Malformed('', 'has a tag without a name')
      if (!this.#take(EQUALS)) throw new Malformed(key, 'has no value')
      const value = this.#name(true)
      if (value === '') throw new Malformed(key, 'has no value')
      if (this.#bytes[this.#at] === EQUALS) throw new Malformed(key, 'has a = in its value')
      if (tags.some(tag => tag.key === key)) throw new Malformed(key, 'is there twice')
      if (tags.length === MAX_TAGS) throw new Malformed('', `has more than ${MAX_TAGS} tags`)
      tags.push({ key, value })
    }
    return tags
  }

  #fields(): LineField[] {
    if (this.#isEnd(this.#at)) throw new Malformed('', 'has no fields')
    const fields: LineField[] = []
    do {
      const key = this.#name(true)
      if (key === '') throw new Malformed('', 'has a field without a name')
      if (!this.#take(EQUALS)) throw new Malformed(key, 'has no value')
      if (fields.length === MAX_FIELDS) {
        throw new Malformed('', `has more than ${MAX_FIELDS} fields`)
      }
      const from = this.#at
      fields.push({ key, value: this.#value(key), from, to: this.#at })
    } while (this.#take(COMMA))
    return fields
  }

  #value(key: string): unknown {
    const bytes = this.#bytes
    const from = this.#at
    const close = this.#closing(from)
    if (close >= 0) {
      this.#at = close + 1
      const text = bytes.toString('utf8', from + 1, close)
      return text.includes('\\') ? text.replaceAll(/\\(["\\])/g, '$1') : text
    }
    let at = from
    while (!this.#isEnd(at) && bytes[at] !== COMMA && bytes[at] !== SPACE) at++
    this.#at = at
    const value = readFieldValue(bytes.toString('utf8', from, at))
    if (value.problem !== undefined) throw new Malformed(key, value.problem)
    return value.value
  }

  /** A measurement, or the name or value of a tag, or the name of a field, without its escapes. */
  #name(isKey: boolean): string {
    const bytes = this.#bytes
    const from = this.#at
    let isEscaped = false
    let at = from
    for (; !this.#isEnd(at); at++) {
      const byte = bytes[at]
      if (byte === BACKSLASH && isSpecial(bytes[at + 1], isKey)) {
        isEscaped = true
        at++
      } else if (isSpecial(byte, isKey)) break
    }
    this.#at = at
    const text = bytes.toString('utf8', from, at)
    if (!isEscaped) return text
    return text.replaceAll(isKey ? /\\([,= ])/g : /\\([, ])/g, '$1')
  }

  /** The closing quote of the string that begins at `at`; -1 when none does. */
  #closing(at: number): number {
    const bytes = this.#bytes
    if (bytes[at] !== QUOTE) return -1
    for (let i = at + 1; i < bytes.length; i++) {
      if (bytes[i] === BACKSLASH) i++
      else if (bytes[i] === QUOTE) {
        const next = bytes[i + 1]
        return next === COMMA || next === SPACE || this.#isEnd(i + 1) ? i : -1
      }
    }
    return -1
  }

  /** A bad line goes to the first newline that is in no string. */
  #endOfBad(from: number): number {
    const bytes = this.#bytes
    let at = from
    while (at < bytes.length && bytes[at] !== LF) {
      const close = bytes[at] === EQUALS ? this.#closing(at + 1) : -1
      if (close >= 0) at = close
      else if (bytes[at] === BACKSLASH && bytes[at + 1] === EQUALS) at++
      at++
    }
    return at
  }

  #take(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false
    this.#at++
    return true
  }

  #skipBlanks(): void {
    while (isBlank(this.#bytes[this.#at])) this.#at++
  }

  #newline(from: number): number {
    const at = this.#bytes.indexOf(LF, from)
    return at < 0 ? this.#bytes.length : at
  }

  #isEnd(at: number): boolean {
    const bytes = this.#bytes
    if (at >= bytes.length || bytes[at] === LF) return true
    return bytes[at] === CR && (at + 1 === bytes.length || bytes[at + 1] === LF)
  }

  #afterEnd(at: number): number {
    const bytes = this.#bytes
    const lf = bytes[at] === CR ? at + 1 : at
    return Math.min(lf + 1, bytes.length)
  }
}

const isBlank = (byte: number): boolean => byte === SPACE || byte === TAB
const isSpecial = (byte: number, isKey: boolean): boolean =>
  byte === COMMA || byte === SPACE || (isKey && byte === EQUALS)
