import { isUtf8 } from 'node:buffer'
import type { SeriesTable } from '../../model/series-table.ts'
import { LineParser, type Line, type LineTag } from '../line-parser.ts'
import { LineScanner } from '../line-scanner.ts'
import { LineTime, type Precision } from '../line-time.ts'
import type { PointSink } from '../point-sink.ts'

export interface LineProtocolOptions {
  /** The gate's. */
  readonly table: SeriesTable
  /** The tags that may name the device; of several in a line the first of these does. */
  readonly deviceTags: readonly string[]
  /** The metrics of this measurement are named like its fields. */
  readonly defaultMeasurement: string
  /** Tags that only describe the device. */
  readonly ignoredTags: readonly string[]
}

const LF = 10
const UNIT_NAMES: Readonly<Record<Precision, string>> = {
  ns: 'nanoseconds',
  us: 'microseconds',
  ms: 'milliseconds',
  s: 'seconds',
  m: 'minutes',
  h: 'hours',
}

/**
 * InfluxDB line protocol, one point a field:
 *
 *     weather,device_id=roof-1 temperature=21.5,open=t 1700000000000000000
 *
 * The device is the first of `deviceTags` that the line has. The metric is `measurement.field`, or
 * the field alone in the default measurement. What other tags a series has is part of what it is, so
 * they end the metric's name in the order of their keys (`cpu.usage_idle,cpu=cpu0`): else two series
 * would become one in silence. `ignoredTags` do not, but where a device tag of lower rank named the
 * device (`device=sda1,host=h1`), those behind it do: its name may be good on that host only.
 *
 * A malformed line is refused whole; of a good one single points may be (0010). Refusals' index is
 * the line, from 0.
 */
export class LineProtocol {
  readonly #options: LineProtocolOptions
  readonly #scanner: LineScanner
  readonly #parser = new LineParser()
  readonly #ignored: ReadonlySet<string>
  readonly #times = new Map<Precision, LineTime>()
  #time!: LineTime

  constructor(options: LineProtocolOptions) {
    this.#options = options
    this.#scanner = new LineScanner(options.table)
    this.#ignored = new Set(options.ignoredTags)
  }

  decode(body: Buffer, precision: Precision, sink: PointSink): void {
    let time = this.#times.get(precision)
    if (time === undefined) this.#times.set(precision, (time = new LineTime(precision)))
    this.#time = time
    const scanner = this.#scanner
    scanner.open(body, time, sink.tenant)
    sink.exactNumbers = true
    const isText = isUtf8(body)
    let index = 0
    for (let at = 0; at < body.length;) {
      const next = scanner.take(at, sink)
      if (next >= 0) {
        at = next
        index++
        continue
      }
      sink.index = index
      this.#decodeLine(body, at, { sink, isText })
      const { end } = this.#parser
      for (; at < end; at++) if (body[at] === LF) index++
    }
    scanner.close()
    this.#parser.close()
  }

  #decodeLine(body: Buffer, at: number, { sink, isText }: { sink: PointSink; isText: boolean }) {
    const parser = this.#parser
    const line = parser.parse(body, at)
    const { problem, end } = parser
    if (line === undefined && problem === undefined) return
    if (!isText && !isUtf8(body.subarray(at, end))) sink.reject('', 'is not UTF-8', 'malformed')
    else if (problem !== undefined) sink.reject(problem.field, problem.detail, 'malformed')
    else if (line !== undefined) this.#put(body, line, sink)
  }

  #put(body: Buffer, line: Line, sink: PointSink): void {
    const { deviceTags, defaultMeasurement } = this.#options
    const { measurement, tags, fields } = line
    const named = this.#deviceTag(tags)
    if (named === undefined) {
      const detail = `has no tag that names the device (${deviceTags.join(', ')})`
      sink.rejectPoints(fields.length, { field: '', detail, reason: 'invalid_name' })
      return
    }
    const timeUs = this.#timeOf(body, line, sink)
    if (timeUs !== timeUs) return
    const device = sink.device(named.value, named.key)
    if (device === undefined) return
    const prefix = measurement === defaultMeasurement ? '' : `${measurement}.`
    const suffix = this.#suffix(tags, named)
    const series: number[] = []
    let isPlain = true
    sink.message(device, timeUs)
    for (const { key, value } of fields) {
      const metric = prefix + key + suffix
      sink.metric(metric, value, '')
      series.push(device.series.get(metric) ?? -1)
      isPlain &&= typeof value !== 'object'
    }
    if (isPlain && !series.includes(-1)) this.#scanner.learn(line, device.id, series)
  }

  #deviceTag(tags: readonly LineTag[]): LineTag | undefined {
    for (const key of this.#options.deviceTags) {
      const tag = tags.find(one => one.key === key)
      if (tag !== undefined) return tag
    }
    return undefined
  }

  #timeOf(body: Buffer, { fields, timeFrom, timeTo }: Line, sink: PointSink): number {
    if (timeFrom === timeTo) return sink.arrivalUs
    const shown = body.toString('utf8', timeFrom, Math.min(timeTo, timeFrom + 50))
    const invalid = /^-\d+$/.test(shown)
      ? `${shown} is before 1970`
      : `${JSON.stringify(shown)} is not a whole number of ${UNIT_NAMES[this.#time.precision]}`
    const refusal = { field: 'timestamp', shown, invalid }
    return sink.unitTime(this.#time.read(body, timeFrom, timeTo), fields.length, refusal)
  }

  #suffix(tags: readonly LineTag[], device: LineTag): string {
    const { deviceTags } = this.#options
    const isFirst = device.key === deviceTags[0]
    const isPart = ({ key }: LineTag): boolean =>
      key !== device.key && (!this.#ignored.has(key) || (!isFirst && deviceTags.includes(key)))
    return tags
      .filter(isPart)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, value }) => `,${escaped(key)}=${escaped(value)}`)
      .join('')
  }
}

const escaped = (text: string): string => text.replaceAll(/[,=\\]/g, '\\$&')
