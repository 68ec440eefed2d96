import type { SeriesTable } from '../model/series-table.ts'
import { ByteReader, fixedBytes, type FixedBytes } from './byte-reader.ts'
import { LineHeads } from './line-heads.ts'
import type { Line } from './line-parser.ts'
import type { LineTime } from './line-time.ts'
import type { PointSink } from './point-sink.ts'

const [LF, CR, SPACE, QUOTE, BACKSLASH, MINUS, ZERO, NINE] = [10, 13, 32, 34, 92, 45, 48, 57]
const LAST_ASCII = 126
const [TRUE, FALSE, LOWER_CASE, INTEGER, UNSIGNED] = [116, 102, 32, 105, 117]
const MAX_FIELDS = 64
/** Kinds of lines; beyond it all are forgotten. */
const MAX_SHAPES = 1024

/** The bytes between the values of one kind of line: `temperature=`, `,pressure=`, … */
interface FieldShape {
  readonly fixed: readonly FixedBytes[]
}

/**
 * The fast way of lines whose head (measurement and tags) was seen before, with the same fields in
 * the same order, all of them plain numbers, booleans and texts: read from the bytes straight into
 * the open batch. It never refuses anything: a line with anything else is not taken, and goes to `LineParser`.
 */
export class LineScanner {
  readonly #reader = new ByteReader()
  readonly #table: SeriesTable
  readonly #heads = new LineHeads()
  readonly #shapes: FieldShape[] = []
  readonly #shapeIds = new Map<string, number>()
  readonly #seeds = new Map<string, number>()
  readonly #values = new Float64Array(MAX_FIELDS)
  /** Where the texts of the line stand; 0: that field is none. */
  readonly #textFrom = new Uint32Array(MAX_FIELDS)
  readonly #textTo = new Uint32Array(MAX_FIELDS)
  #time!: LineTime
  #headLength = 0
  #timeUs = 0

  constructor(table: SeriesTable) {
    this.#table = table
  }

  open(body: Buffer, time: LineTime, tenant: string): void {
    this.#reader.open(body)
    this.#time = time
    let seed = this.#seeds.get(tenant)
    if (seed === undefined)
      this.#seeds.set(tenant, (seed = Math.imul(this.#seeds.size, 0x9e3779b1)))
    this.#heads.open(body, seed)
  }

  /** Lets go of the body. */
  close(): void {
    this.#reader.open(NOTHING)
    this.#heads.open(NOTHING, 0)
  }

  /** Takes the line that begins at `begin` and returns where the next one does; -1: not taken. */
  take(begin: number, sink: PointSink): number {
    const headTo = this.#head(begin)
    if (headTo < 0) return -1
    const heads = this.#heads
    const device = this.#table.deviceAt(heads.device)
    if (device.tenant !== sink.tenant || !sink.admits(device)) return -1
    const { fixed } = this.#shapes[heads.shape]
    const reader = this.#reader
    const values = this.#values
    reader.at = headTo + 1
    for (let i = 0; i < fixed.length; i++) {
      if (!reader.takeBytes(fixed[i])) return -1
      this.#textFrom[i] = 0
      if (reader.bytes[reader.at] === QUOTE) {
        if (!this.#text(i, sink)) return -1
      } else if (this.#value()) values[i] = reader.value
      else return -1
    }
    const end = this.#end(sink)
    const timeUs = this.#timeUs
    if (end < 0 || !sink.takes(timeUs, fixed.length)) return -1
    const { series, at } = heads
    if (sink.checksValues) {
      // What a product declares is judged, and explained, on the general way.
      for (let i = 0; i < fixed.length; i++) if (sink.isDeclared(series[at + i])) return -1
    }
    for (let i = 0; i < fixed.length; i++) {
      if (this.#textFrom[i] === 0) sink.point(series[at + i], timeUs, values[i])
      else sink.text(series[at + i], timeUs, this.#textOf(i))
    }
    return end
  }

  /** Notes a line that was read the general way, all its fields stored as `series`, for the next. */
  learn(line: Line, device: number, series: readonly number[]): void {
    const { fields, from, headTo } = line
    const { bytes } = this.#reader
    if (fields.length > MAX_FIELDS || headTo - from < 4 || bytes[headTo] !== SPACE) return
    let shape = ''
    const fixed: FixedBytes[] = []
    for (let i = 0, at = headTo + 1; i < fields.length; at = fields[i++].to) {
      const part = bytes.subarray(at, fields[i].from)
      shape += `${part.toString('latin1')}\n`
      fixed.push(fixedBytes(part))
    }
    this.#heads.learn(from, headTo, { device, shape: this.#shapeOf(shape, fixed), series })
  }

  #shapeOf(name: string, fixed: readonly FixedBytes[]): number {
    const known = this.#shapeIds.get(name)
    if (known !== undefined) return known
    if (this.#shapes.length === MAX_SHAPES) {
      this.#shapes.length = 0
      this.#shapeIds.clear()
      this.#heads.clear()
    }
    const id = this.#shapes.push({ fixed }) - 1
    this.#shapeIds.set(name, id)
    return id
  }

  /** Where the head that begins here ends, if it is a known one; -1 if not. */
  #head(begin: number): number {
    const { bytes } = this.#reader
    const likely = begin + this.#headLength
    // Mostly as long as the last one: a known head has no space that ends it, so it need not be sought.
    if (bytes[likely] === SPACE && this.#headLength >= 4) {
      if (this.#heads.find(begin, likely)) return likely
    }
    let at = begin
    for (; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === LF) return -1
      if (byte === SPACE && (at === begin || bytes[at - 1] !== BACKSLASH)) break
    }
    if (at === likely || at - begin < 4 || at >= bytes.length) return -1
    if (!this.#heads.find(begin, at)) return -1
    this.#headLength = at - begin
    return at
  }

  /** A text of printable ASCII without escapes. */
  #text(field: number, sink: PointSink): boolean {
    const reader = this.#reader
    const { bytes } = reader
    const from = reader.at + 1
    let at = from
    while (bytes[at] !== QUOTE) {
      if (!(bytes[at] >= SPACE && bytes[at] <= LAST_ASCII) || bytes[at] === BACKSLASH) return false
      at++
    }
    if (!sink.takesText(at - from)) return false
    this.#textFrom[field] = from
    this.#textTo[field] = at
    reader.at = at + 1
    return true
  }

  #textOf(field: number): string {
    return this.#reader.bytes.toString('latin1', this.#textFrom[field], this.#textTo[field])
  }

  #value(): boolean {
    const reader = this.#reader
    const { bytes } = reader
    const from = reader.at
    const lower = bytes[from] | LOWER_CASE
    if (lower === TRUE || lower === FALSE) return this.#boolean(lower === TRUE)
    if (!reader.number()) return false
    const { at } = reader
    const kind = bytes[at]
    if (kind !== INTEGER && kind !== UNSIGNED) return true
    reader.at = at + 1
    for (let i = bytes[from] === MINUS && kind === INTEGER ? from + 1 : from; i < at; i++) {
      if (bytes[i] < ZERO || bytes[i] > NINE) return false
    }
    return true
  }

  /** The words that are in use; `True` and `t` are left to the general way. */
  #boolean(value: boolean): boolean {
    const reader = this.#reader
    const word = value ? WORD_TRUE : WORD_FALSE
    reader.value = value ? 1 : 0
    return reader.takeBytes(word)
  }

  /** The time, if any, and the end of the line: where the next one begins; -1: not plain. */
  #end(sink: PointSink): number {
    const { bytes, at: from } = this.#reader
    let at = from
    if (bytes[at] === SPACE) {
      at++
      while (bytes[at] >= ZERO && bytes[at] <= NINE) at++
      this.#timeUs = this.#time.read(bytes, from + 1, at)
      if (this.#timeUs !== this.#timeUs) return -1
    } else this.#timeUs = sink.arrivalUs
    if (bytes[at] === LF) return at + 1
    if (at === bytes.length) return at
    return bytes[at] === CR && bytes[at + 1] === LF ? at + 2 : -1
  }
}

const NOTHING = Buffer.alloc(0)
const WORD_TRUE = fixedBytes(Buffer.from('true'))
const WORD_FALSE = fixedBytes(Buffer.from('false'))
