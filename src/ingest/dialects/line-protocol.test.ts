import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readLines } from '../../../test/fixtures/line-oracle.ts'
import type { Batch } from '../../model/batch.ts'
import { deviceIdProblem, nameProblem } from '../../model/names.ts'
import { SeriesTable } from '../../model/series-table.ts'
import { BatchBuilder } from '../batch-builder.ts'
import type { Precision } from '../line-time.ts'
import { PointSink, type BodyScanner } from '../point-sink.ts'
import { SeriesMarks } from '../series-marks.ts'
import { LineProtocol, type LineProtocolOptions } from './line-protocol.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 10)
const NOW = NOW_MS * 1000
const limits = {
  maxPointsPerRequest: 500,
  maxDepth: 4,
  maxTextBytes: 5000,
  maxFutureMs: 86_400_000,
  maxSeries: 5000,
  maxPendingBytes: 1e9,
}
const names = {
  deviceTags: ['device_id', 'device', 'host'],
  defaultMeasurement: 'telemetry',
  ignoredTags: ['site', 'host'],
}
const noScanner: BodyScanner = { scanMessages: () => false, scanRecord: () => false }

type Point = [string, string, number, number | string]

interface Read {
  readonly points: Point[]
  /** `line field: detail`, lines from 1. */
  readonly rejected: string[]
  readonly lines: number[]
}

/** Reads bodies one after the other, as one process would. */
function reader(options: Partial<LineProtocolOptions> = {}, admits = (_name: string) => true) {
  const table = new SeriesTable()
  const devices = {
    admits: (device: { name: string }) => admits(device.name),
    admitsNew: (_tenant: string, name: string) => admits(name),
  }
  const sink = new PointSink({ table, limits, devices, scanner: noScanner })
  const protocol = new LineProtocol({ table, ...names, ...options })
  const builders = new Map<string, BatchBuilder>()
  const marks = new SeriesMarks()
  return (body: string | Buffer, precision: Precision = 'ns', tenant = 't'): Read => {
    const builder = builders.get(tenant) ?? new BatchBuilder(tenant, table, marks)
    builders.set(tenant, builder)
    sink.begin(builder, { nowMs: NOW_MS })
    protocol.decode(Buffer.from(body as string), precision, sink)
    const { rejections } = sink
    return {
      points: pointsOf(builder.seal()),
      rejected: rejections.map(({ index, field, detail }) => `${index + 1} ${field}: ${detail}`),
      lines: [...new Set(rejections.map(({ index }) => index))],
    }
  }
}

function pointsOf(batch: Batch): Point[] {
  return Array.from(batch.timestamps, (time, i) => {
    const series = batch.seriesIndex[i]
    const device = batch.devices[batch.seriesDevice[series]]
    const metric = batch.metrics[batch.seriesMetric[series]]
    return [device, metric, time, batch.texts?.[i] ?? batch.values[i]]
  })
}

/** Reads a body three times: names are new, are known, and are known to the fast way. */
function read(body: string | Buffer, precision?: Precision): Read {
  const again = reader()
  const first = again(body, precision)
  assert.deepEqual(again(body, precision), first)
  assert.deepEqual(again(body, precision), first)
  return first
}

const good = (body: string | Buffer, precision?: Precision): Point[] => {
  const { points, rejected } = read(body, precision)
  assert.deepEqual(rejected, [])
  return points
}

const bad = (body: string | Buffer): string => {
  const { points, rejected } = read(body)
  assert.deepEqual(points, [])
  return rejected.join('; ')
}

test('a line is a point of each field, of the device in its tag', () => {
  const line =
    'weather,device_id=roof-1 temperature=21.5,open=t,count=3i,state="on" 1700000000000000000'
  assert.deepEqual(good(line), [
    ['roof-1', 'weather.temperature', 17e14, 21.5],
    ['roof-1', 'weather.open', 17e14, 1],
    ['roof-1', 'weather.count', 17e14, 3],
    ['roof-1', 'weather.state', 17e14, 'on'],
  ])
})

test('a metric of the default measurement is named like its field', () => {
  assert.deepEqual(good('telemetry,host=a x=1,y=2'), [
    ['a', 'x', NOW, 1],
    ['a', 'y', NOW, 2],
  ])
})

test('the device is the first of the device tags, whatever their order in the line', () => {
  const lines = ['m,device=d,device_id=i,host=h v=1', 'm,host=h,device=d v=1', 'm,host=h v=1']
  assert.deepEqual(
    good(lines.join('\n')).map(([device, metric]) => [device, metric]),
    [
      ['i', 'm.v,device=d'],
      ['d', 'm.v,host=h'],
      ['h', 'm.v'],
    ],
  )
})

test('other tags make the metric another one, in the order of their keys, unless they are ignored', () => {
  const points = good(
    'cpu,host=h,cpu=cpu0 idle=1\ncpu,cpu=cpu1,host=h,site=berlin,a=b\\,c idle=2\nm,host=h,site=x v=3',
  )
  assert.deepEqual(
    points.map(([, metric]) => metric),
    ['cpu.idle,cpu=cpu0', String.raw`cpu.idle,a=b\,c,cpu=cpu1`, 'm.v'],
  )
})

test('commas, spaces and equals signs are escaped, and other backslashes are text', () => {
  const body = String.raw`my\ m\,x,device_id=a\ b\=c\,d,t\ =\x f\=1\,\ \y="a\"b\\c\d" 1`
  assert.deepEqual(good(body), [
    ['a b=c,d', String.raw`my m,x.f=1, \y,t =\\x`, 0, String.raw`a"b\c\d`],
  ])
})

test('numbers are the float64 that their text means', () => {
  const texts =
    '0 -0 1 -1.5 .5 5. 1e3 -1E-3 1.5e+300 123456789.123456789 5e-324 007 9007199254740993'
  for (const text of [...texts.split(' '), '0.1234567890123456789', `${'1'.repeat(300)}.5`]) {
    const [[, , , value]] = good(`m,host=h v=${text}`)
    assert.ok(Object.is(value, Number(text)), `${text} became ${value}`)
  }
})

test('integers are kept when a float64 holds them, as in JSON, and refused when not', () => {
  const values = (text: string): unknown => good(`m,host=h v=${text}`)[0][3]
  assert.equal(values('-12i'), -12)
  assert.equal(values('9007199254740993000i'), 9007199254740993000)
  assert.equal(
    values('18446744073709551615u'.replace('5u', '6u').replace('1844', '0')),
    6744073709551616,
  )
  assert.match(bad('m,host=h v=9007199254740993i'), /^1 m.v: 9007199254740993 has no exact float64/)
  assert.match(bad('m,host=h v=9223372036854775808i'), /^1 v: is beyond the range of an integer/)
  assert.match(bad('m,host=h v=18446744073709551616u'), /^1 v: is beyond .* unsigned integer/)
  assert.match(bad('m,host=h v=1e400'), /^1 m.v: is beyond the range of a float64/)
})

test('every spelling of a boolean is known', () => {
  const words = 't,T,true,True,TRUE,f,F,false,False,FALSE'.split(',')
  const fields = words.map((word, i) => `v${i}=${word}`).join(',')
  const values = good(`m,host=h ${fields}`).map(([, , , value]) => value)
  assert.deepEqual(values, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
})

test('a string may hold newlines, and lines are counted as an editor counts them', () => {
  const { points, rejected } = read('m,host=h s="a\nm,host=x v=1\n",v=2 5\nm,host=h v=x\n')
  assert.deepEqual(points, [
    ['h', 'm.s', 0, 'a\nm,host=x v=1\n'],
    ['h', 'm.v', 0, 2],
  ])
  assert.match(rejected.join(), /^4 v: "x" is no number/)
})

test('blank lines, comments, CRLF and a last line without newline', () => {
  const body =
    '\r\n# a comment, of course=1\r\n  \t\n m,host=h  v=1  7000 \r\n\nm,host=h v=2 8000\r\nm,host=h v=3 9000'
  const points = good(body).map(([, , time, value]) => [time, value])
  assert.deepEqual(points, [
    [7, 1],
    [8, 2],
    [9, 3],
  ])
  assert.deepEqual(good('m,host=h v=1 9000\r'), [['h', 'm.v', 9, 1]])
  assert.deepEqual(good(''), [])
  assert.deepEqual(good('# nothing'), [])
})

test('times are exact to the microsecond in every precision', () => {
  const time = (text: string, precision: Precision): number =>
    good(`m,host=h v=1 ${text}`, precision)[0][2]
  assert.equal(time('1700000000123456499', 'ns'), 1700000000123456)
  assert.equal(time('1700000000123456500', 'ns'), 1700000000123457)
  assert.equal(time('499', 'ns'), 0)
  assert.equal(time('1700000000123457', 'us'), 1700000000123457)
  assert.equal(time('1700000000123', 'ms'), 1700000000123000)
  assert.equal(time('1700000000', 's'), 17e14)
  assert.equal(time('28333333', 'm'), 28333333 * 60e6)
  assert.equal(time('472222', 'h'), 472222 * 3600e6)
  assert.equal(time('0000000000001700000000123', 'ms'), 1700000000123000)
})

test('times that are none, before 1970 or too far ahead are refused with the points of their line', () => {
  const of = (text: string): string => bad(`m,host=h v=1,w=2 ${text}`)
  assert.match(of('soon'), /^1 timestamp: "soon" is not a whole number of nanoseconds$/)
  assert.match(of('1.5'), /^1 timestamp: "1.5" is not/)
  assert.match(of('-5'), /^1 timestamp: -5 is before 1970$/)
  assert.match(of('1800000000000000000'), /^1 timestamp: 2027-.* is more than .*maxFutureMs/)
  assert.match(of('99999999999999999999999'), /^1 timestamp: 99999999999999999999999 is more/)
  assert.match(of('1 2'), /^1 : has something behind its time$/)
})

test('a malformed line says what is wrong with it', () => {
  const cases: [string, RegExp][] = [
    ['m', /^1 : has no fields$/],
    ['m,host=h', /^1 : has no fields$/],
    ['m,host=h ', /^1 : has no fields$/],
    [',host=h v=1', /^1 : has no measurement$/],
    ['m,host v=1', /^1 host: has no value$/],
    ['m,host= v=1', /^1 host: has no value$/],
    ['m,=h v=1', /^1 : has a tag without a name$/],
    ['m,host=a=b v=1', /^1 host: has a = in its value$/],
    ['m,host=a,host=b v=1', /^1 host: is there twice$/],
    ['m,host=h v', /^1 v: has no value$/],
    ['m,host=h v=', /^1 v: has no value$/],
    ['m,host=h =1', /^1 : has a field without a name$/],
    ['m,host=h v=1,', /^1 : has a field without a name$/],
    ['m,host=h v=1i5', /^1 v: "1i5" is no number, integer \(5i\), boolean or "string"$/],
    ['m,host=h v=-5u', /^1 v: "-5u" is no/],
    ['m,host=h v=1.5i', /^1 v: "1.5i" is no/],
    ['m,host=h v=NaN', /^1 v: "NaN" is no/],
    ['m,host=h v="a', /^1 v: is a string without its closing quote$/],
    ['m,host=h v="a"b', /^1 v: is a string without its closing quote$/],
    ['m v=1', /^1 : has no tag that names the device \(device_id, device, host\)$/],
    ['m,site=x v=1,w=2', /^1 : has no tag that names the device/],
    ['m,host=a/b v=1', /^1 host: must not contain "\/"$/],
    ['m,host=h a\u0001=1', /^1 m.a\u0001: metric name must not contain control characters$/],
    [`m,host=h ${'k'.repeat(300)}=1`, /^1 m\.k+…: metric name must not be longer/],
    [
      `m,host=h${Array.from({ length: 256 }, (_, i) => `,t${i}=1`).join('')} v=1`,
      /more than 256 tags$/,
    ],
    [`m,host=h ${'v=1,'.repeat(10_000)}v=1`, /^1 : has more than 10000 fields$/],
    [`m,host=h v="${'x'.repeat(5001)}"`, /^1 m.v: is longer than 5000 bytes/],
  ]
  for (const [line, pattern] of cases) assert.match(bad(line), pattern, line)
})

test('good lines around bad ones are kept, also where a quote is not closed', () => {
  const { points, rejected } = read(
    'm,host=h v=1 1\nm,host=h s="oops 2\nm,host=h v=3 3\nm,host=h s="x" 4\n',
  )
  assert.deepEqual(
    points.map(([, , , value]) => value),
    [1, 3, 'x'],
  )
  assert.match(rejected.join(), /^2 s: is a string without its closing quote$/)
})

test('a bad value that is a point of its own does not take its line with it', () => {
  const { points, rejected } = read('m,host=h a=1,b=9007199254740993i,c=3')
  assert.deepEqual(
    points.map(([, metric]) => metric),
    ['m.a', 'm.c'],
  )
  assert.equal(rejected.length, 1)
})

test('bytes that are no UTF-8 cost their own line only', () => {
  const lines = ['m,host=é v=1', 'm,host=\xff v=2', 'm,host=h v=3'].map(line =>
    Buffer.from(line, line.includes('\xff') ? 'latin1' : 'utf8'),
  )
  const body = Buffer.concat(lines.flatMap(line => [line, Buffer.from('\n')]))
  const { points, rejected } = read(body)
  assert.deepEqual(
    points.map(([device]) => device),
    ['é', 'h'],
  )
  assert.deepEqual(rejected, ['2 : is not UTF-8'])
})

test('a device that may not send is refused, also when its lines are known', () => {
  let allowed = true
  const again = reader({}, () => allowed)
  again('m,host=h v=1')
  again('m,host=h v=1')
  allowed = false
  const { points, rejected } = again('m,host=h v=1')
  assert.deepEqual([points, rejected], [[], ['1 host: device "h" is not registered']])
})

test('the same lines of two tenants are points of two tenants', () => {
  const again = reader()
  for (const tenant of ['a', 'b', 'a', 'b', 'b', 'a']) {
    assert.deepEqual(again('m,host=h v=1 5', 'us', tenant).points, [['h', 'm.v', 5, 1]])
  }
})

test('points beyond the bound of a request are refused one by one', () => {
  const body = Array.from({ length: 300 }, (_, i) => `m,host=h v=1,w=2 ${i}000`).join('\n')
  const { points, rejected } = read(body)
  assert.deepEqual([points.length, rejected.length], [500, 100])
  assert.match(rejected[0], /^251 m.v: the request has more than 500 points/)
})

const text = (...characters: string[]) =>
  fc.string({ unit: fc.constantFrom(...characters), maxLength: 5 })
const nameLike = fc.oneof(
  fc.constantFrom('a', 'v', 'host', 'device_id', 'site', 'telemetry', 'x\\ y', 'é'),
  text('a', 'b', '\\', '\\ ', '\\,', '\\=', '"', '#', 'é', '\r', '\t', '.', ' ', ',', '='),
)
const numberLike = fc.oneof(
  fc.double({ noNaN: true }).map(String),
  fc.integer().map(value => `${value}i`),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(value => `${value}i`),
  fc.bigInt({ min: 0n, max: 2n ** 65n }).map(value => `${value}u`),
  fc.tuple(fc.integer(), fc.nat(99_999)).map(([a, b]) => `${a}.${b}`),
  text('0', '1', '9', '.', '-', 'e', 'E', '+', 'i', 'u', 'n'),
)
const valueLike = fc.oneof(
  { weight: 5, arbitrary: numberLike },
  fc.constantFrom('t', 'T', 'true', 'False', 'tru', 'NaN', 'inf', '""', '"'),
  text('a', '\\', '\\"', '\\\\', '\n', '\r\n', ',', ' ', '=', '"', 'é').map(s => `"${s}"`),
)
const plainText = text('a', '~', ',', ' ', '=', '#').map(s => `"${s}"`)
const timeLike = fc.oneof(
  fc.bigInt({ min: 0n, max: BigInt(NOW_MS) * 1_000_000n * 2n }).map(value => ` ${value}`),
  fc.constantFrom(
    '',
    '',
    ' ',
    '  12 ',
    ' -1',
    ' 1.5',
    ' 00',
    ' 1 2',
    '\t5',
    ' 99999999999999999999',
  ),
)
const pairs = (value: fc.Arbitrary<string>, minLength: number) =>
  fc
    .array(fc.tuple(nameLike, value), { minLength, maxLength: 3 })
    .map(all => all.map(([key, one]) => `${key}=${one}`))
const line = fc
  .record({
    lead: fc.constantFrom('', '', '', ' ', '#', '\t'),
    measurement: nameLike,
    host: fc.constantFrom('', ',host=h', ',host=h', ',device_id=d\\ 1'),
    tags: pairs(nameLike, 0),
    gap: fc.constantFrom(' ', ' ', ' ', '  ', ' \t', ''),
    fields: pairs(valueLike, 1),
    time: timeLike,
    end: fc.constantFrom('\n', '\n', '\r\n', '\r', '\n\n', ''),
  })
  .map(({ lead, measurement, host, tags, gap, fields, time, end }) => {
    const head = [measurement + host, ...tags].join(',')
    return lead + head + gap + fields.join(',') + time + end
  })
const plainLine = fc
  .record({
    head: fc.constantFrom('m,host=h', 'cpu,cpu=0,host=a\\ b', 'telemetry,device_id=d,site=x'),
    values: fc.tuple(fc.oneof(numberLike, plainText, valueLike), numberLike),
    time: timeLike,
    end: fc.constantFrom('\n', '\r\n'),
  })
  .map(({ head, values: [a, b], time, end }) => `${head} a=${a},b=${b}${time}${end}`)

test('any body means what the slow and obvious reader says, however it is read', () => {
  const units = {
    ns: 1n,
    us: 1000n,
    ms: 1_000_000n,
    s: 1_000_000_000n,
    m: 60_000_000_000n,
    h: 3_600_000_000_000n,
  }
  const again = reader()
  fc.assert(
    fc.property(
      fc.array(fc.oneof(line, plainLine), { maxLength: 8 }),
      fc.constantFrom(...(Object.keys(units) as Precision[])),
      fc.tuple(fc.nat(), fc.constantFrom('', '', '"', '\n', '\\', ' ', 'x')),
      (lines, precision, [at, spoil]) => {
        const whole = lines.join('')
        const place = at % (whole.length + 1)
        const body = (whole.slice(0, place) + spoil + whole.slice(place)).toWellFormed()
        const expected = readLines(body, {
          ...names,
          unitNs: units[precision],
          arrivalUs: NOW,
          latestUs: NOW + limits.maxFutureMs * 1000,
        })
        // The names' own rules have tests of their own.
        const isNamed = ([device, metric]: Point): boolean =>
          deviceIdProblem(device) === undefined && nameProblem(metric) === undefined
        const { points, lines: refused } = again(body, precision)
        assert.deepEqual(points, expected.points.filter(isNamed))
        const wrong = new Set(refused)
        for (const index of expected.refused) assert.ok(wrong.has(index), `line ${index} is bad`)
        if (expected.points.every(isNamed)) assert.deepEqual(wrong, expected.refused)
      },
    ),
    { numRuns: 3000 },
  )
})
