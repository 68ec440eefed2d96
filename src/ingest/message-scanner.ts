import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import { ByteReader } from './byte-reader.ts'
import { SLOT_DEVICE, SLOT_TIME, ShapeRecorder, type MessageShape } from './message-shape.ts'
import { NameCache } from './name-cache.ts'
import type { BodyScanner, PointSink, RecordTarget } from './point-sink.ts'
import { TimeReader } from './time-reader.ts'

const [QUOTE, COMMA, COLON] = [34, 44, 58]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125]
const [TRUE, FALSE] = [116, 102]
const MAX_METRICS = 32
const MAX_SHAPES = 8
/** After so many messages that no shape fits, a shape is learnt from the next one. */
const LEARN_AFTER_MISSES = 8

/**
 * The fast way of ordinary JSON: messages whose devices and metrics are known, with plain numbers
 * and booleans, read from the bytes straight into the open batch. Messages are matched against
 * shapes seen before, else parsed token by token. It refuses nothing but values that a product
 * wants refused: where a body holds anything else (a new name, text, an escape, nesting, an
 * error), it returns false, and the body is decoded anew by the dialect, with `JSON.parse`.
 */
export class MessageScanner implements BodyScanner {
  readonly #reader = new ByteReader()
  readonly #times = new TimeReader()
  readonly #table: SeriesTable
  readonly #names: NameCache
  readonly #recorder = new ShapeRecorder()
  readonly #series = new Uint32Array(MAX_METRICS)
  readonly #values = new Float64Array(MAX_METRICS)
  #metrics = 0
  /** A bit for each metric of the message that is a boolean. */
  #booleans = 0
  #timeUs = 0
  /** Of the message that comes next: its place in the request, and where its metrics stand. */
  #index = 0
  #field = ''
  /** The shape that fitted last comes first. */
  readonly #messageShapes: MessageShape[] = []
  /** By the time's field, because what is the time to one dialect is a metric to another. */
  readonly #recordShapes = new Map<string, MessageShape[]>()
  #misses = LEARN_AFTER_MISSES

  constructor(table: SeriesTable) {
    this.#table = table
    this.#names = new NameCache(table)
  }

  /** `{device_id, timestamp?, data: {…}}` or an array of it. */
  scanMessages(body: Buffer, sink: PointSink): boolean {
    const reader = this.#reader
    reader.open(body)
    const array = reader.take(OPEN_ARRAY)
    this.#index = sink.index
    this.#field = 'data'
    do {
      reader.peek()
      if (this.#matches(this.#messageShapes, undefined, sink)) continue
      if (!this.#message(sink)) return false
    } while (array && reader.take(COMMA))
    return (!array || reader.take(CLOSE_ARRAY)) && reader.peek() === -1
  }

  /** A flat object of one device's metrics, with the time in the field `timeField`. */
  scanRecord(body: Buffer, sink: PointSink, { device, timeField }: RecordTarget): boolean {
    const reader = this.#reader
    reader.open(body)
    this.#index = sink.index
    this.#field = ''
    reader.peek()
    let shapes = this.#recordShapes.get(timeField)
    if (shapes === undefined) this.#recordShapes.set(timeField, (shapes = []))
    if (this.#matches(shapes, device, sink)) return reader.peek() === -1
    this.#timeUs = sink.arrivalUs
    this.#recorder.open(reader.at)
    if (!this.#object(device, timeField) || !this.#commit(sink)) return false
    this.#learn(shapes)
    return reader.peek() === -1
  }

  /** Tries the known shapes on the message that begins here, and takes it if one fits. */
  #matches(shapes: MessageShape[], device: DeviceEntry | undefined, sink: PointSink): boolean {
    const begin = this.#reader.at
    for (let i = 0; i < shapes.length; i++) {
      this.#reader.at = begin
      if (!this.#match(shapes[i], device, sink) || !this.#commit(sink)) continue
      if (i > 0) shapes.unshift(shapes.splice(i, 1)[0])
      return true
    }
    this.#reader.at = begin
    return false
  }

  #match(shape: MessageShape, known: DeviceEntry | undefined, sink: PointSink): boolean {
    const reader = this.#reader
    const { fixed, slots } = shape
    let device = known
    this.#metrics = 0
    this.#booleans = 0
    this.#timeUs = sink.arrivalUs
    for (let i = 0; i < slots.length; i++) {
      if (!reader.takeBytes(fixed[i])) return false
      const slot = slots[i]
      if (slot === SLOT_DEVICE) {
        if (!reader.string()) return false
        reader.at--
        device = this.#names.device(sink.tenant, reader)
        if (device === undefined || !sink.admits(device)) return false
      } else if (slot === SLOT_TIME) {
        if (!this.#slotTime(shape.quotedTime)) return false
      } else {
        if (device === undefined || !this.#value()) return false
        const series = shape.series(device, this.#metrics, this.#table)
        if (series < 0) return false
        this.#series[this.#metrics] = series
        this.#values[this.#metrics++] = reader.value
      }
    }
    return reader.takeBytes(fixed[slots.length])
  }

  #slotTime(quoted: boolean): boolean {
    const reader = this.#reader
    if (!quoted) this.#timeUs = this.#times.fromNumber(reader)
    else if (reader.string()) {
      reader.at--
      this.#timeUs = this.#times.fromString(reader)
    } else return false
    return this.#timeUs === this.#timeUs
  }

  #message(sink: PointSink): boolean {
    const reader = this.#reader
    this.#recorder.open(reader.at)
    if (!reader.take(OPEN_OBJECT)) return false
    let device: DeviceEntry | undefined
    let timed = false
    let filled = false
    this.#timeUs = sink.arrivalUs
    do {
      if (!reader.take(QUOTE) || !reader.string()) return false
      if (device === undefined && reader.isString('device_id')) {
        if (!reader.take(COLON) || !reader.take(QUOTE) || !reader.string()) return false
        device = this.#names.device(sink.tenant, reader)
        if (device === undefined || !sink.admits(device)) return false
        this.#recorder.slot(SLOT_DEVICE, reader.from, reader.to)
      } else if (!timed && reader.isString('timestamp')) {
        timed = true
        if (!reader.take(COLON) || !this.#time()) return false
      } else if (device !== undefined && !filled && reader.isString('data')) {
        filled = true
        if (!reader.take(COLON) || !this.#object(device, undefined)) return false
      } else return false
    } while (reader.take(COMMA))
    if (!filled || !reader.take(CLOSE_OBJECT) || !this.#commit(sink)) return false
    this.#learn(this.#messageShapes)
    return true
  }

  /** Metrics into the columns of this message; a member named `timeField` is the time. */
  #object(device: DeviceEntry, timeField: string | undefined): boolean {
    const reader = this.#reader
    this.#metrics = 0
    this.#booleans = 0
    if (!reader.take(OPEN_OBJECT)) return false
    let timed = false
    do {
      if (!reader.take(QUOTE) || !reader.string()) return false
      if (timeField !== undefined && reader.isString(timeField)) {
        if (timed || !reader.take(COLON) || !this.#time()) return false
        timed = true
        continue
      }
      const series = device.series.get(reader.text())
      if (series === undefined || !reader.take(COLON)) return false
      reader.peek()
      const from = reader.at
      if (!this.#value() || !this.#add(series)) return false
      this.#recorder.metric(this.#table.metricIdOf(series), from, reader.at)
    } while (reader.take(COMMA))
    return reader.take(CLOSE_OBJECT)
  }

  /** False when the metric was there already (JSON's last one wins) or there are too many. */
  #add(series: number): boolean {
    const count = this.#metrics
    if (count === MAX_METRICS) return false
    for (let i = 0; i < count; i++) if (this.#series[i] === series) return false
    this.#series[count] = series
    this.#values[count] = this.#reader.value
    this.#metrics = count + 1
    return true
  }

  #value(): boolean {
    const reader = this.#reader
    const byte = reader.bytes[reader.at]
    if (byte === TRUE) return this.#word('true', 1)
    if (byte === FALSE) return this.#word('false', 0)
    return reader.number()
  }

  #word(word: string, value: number): boolean {
    const reader = this.#reader
    for (let i = 0; i < word.length; i++) {
      if (reader.bytes[reader.at + i] !== word.charCodeAt(i)) return false
    }
    reader.at += word.length
    reader.value = value
    this.#booleans |= 1 << this.#metrics
    return true
  }

  #time(): boolean {
    const reader = this.#reader
    const quoted = reader.peek() === QUOTE
    if (quoted) {
      reader.at++
      if (!reader.string()) return false
      this.#timeUs = this.#times.fromString(reader)
      this.#recorder.time(true, reader.from, reader.to)
    } else {
      const from = reader.at
      this.#timeUs = this.#times.fromNumber(reader)
      this.#recorder.time(false, from, reader.at)
    }
    return this.#timeUs === this.#timeUs
  }

  #learn(shapes: MessageShape[]): void {
    if (++this.#misses < LEARN_AFTER_MISSES && shapes.length > 0) return
    this.#misses = 0
    if (shapes.length === MAX_SHAPES) shapes.pop()
    shapes.unshift(this.#recorder.close(this.#reader.bytes, this.#reader.at))
  }

  #commit(sink: PointSink): boolean {
    const timeUs = this.#timeUs
    if (this.#metrics === 0 || !sink.takes(timeUs, this.#metrics)) return false
    if (sink.checksValues) {
      this.#commitChecked(sink)
      return true
    }
    for (let i = 0; i < this.#metrics; i++) {
      sink.point(this.#series[i], timeUs, this.#values[i])
    }
    return true
  }

  #commitChecked(sink: PointSink): void {
    sink.index = this.#index++
    sink.checkedMessage(this.#timeUs, this.#field)
    for (let i = 0; i < this.#metrics; i++) {
      sink.checkedPoint(this.#series[i], this.#values[i], (this.#booleans & (1 << i)) !== 0)
    }
  }
}
