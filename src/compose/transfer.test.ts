import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryLog } from '../../test/fixtures/memory-log.ts'
import type { Config } from '../config/schema.ts'
import { IngestGate } from '../ingest/gate.ts'
import { Ledger } from '../ingest/ledger.ts'
import { pointCount } from '../model/batch.ts'
import { deviceIdProblem, nameProblem } from '../model/names.ts'
import { SeriesTable } from '../model/series-table.ts'
import type { ScanRead, SeriesPoints } from '../ports/store.ts'
import { FORMATS, TIME_STYLES, type Format, type TimeStyle } from '../transfer/format.ts'
import type { ImportOutcome } from '../transfer/ingest-flow.ts'
import type { Mapping } from '../transfer/mapping.ts'
import { openTransfer } from './transfer.ts'
import { openAccess } from '../model/access.ts'

const data = mkdtempSync(join(tmpdir(), 'weir-transfer-'))
after(() => rmSync(data, { recursive: true, force: true }))
const NOW_MS = Date.UTC(2026, 10, 20, 10)
const LATEST_US = (NOW_MS + 3_600_000) * 1000

/** `[device, metric, microseconds, value]`, with the sign of zero. */
type Row = [string, string, number, number | string]

/** Exports of the given series, and imports into the real gate over a log in memory. */
function subject(
  series: readonly SeriesPoints[] = [],
  { tenant = 'default', maxPointsPerRequest = 50, pieceBytes = 1000 } = {},
) {
  const ledger = new Ledger(0)
  const log = memoryLog(({ batch }) => ledger.handOver(batch.tenant, pointCount(batch)))
  const table = new SeriesTable()
  const limits = {
    ...{ maxPointsPerRequest, maxDepth: 8, maxTextBytes: 1000, maxFutureMs: 3_600_000 },
    ...{ maxSeries: 100_000, maxPendingBytes: 64 << 20 },
  }
  const devices = { admits: () => true, admitsNew: () => true }
  const gate = new IngestGate({ log, table, ledger, clock: fakeClock(NOW_MS), limits, devices })
  const asked: ScanRead[] = []
  const store = {
    read: () => Promise.reject(new Error('only for the wide layout')),
    async *scan(request: ScanRead) {
      asked.push(request)
      yield series.filter(({ device }) => request.select.devices.includes(device))
    },
  }
  const config = {
    data,
    transfer: { maxRunning: 4, maxSpoolBytes: 8 << 20 },
  } as unknown as Config
  const transfer = openTransfer(config, { store, gate })
  const exported = async (format: Format, time: TimeStyle = 'iso'): Promise<Buffer> => {
    const names = [...new Set(series.map(({ device }) => device))]
    const range = { start: 0, end: 2 ** 53 }
    const pieces: Buffer[] = []
    for await (const piece of transfer.exportPoints({
      ...{ tenant, devices: names, metrics: [], range, format, time },
    })) {
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  }
  const imported = (
    format: Format,
    file: Buffer | string,
    mapping: Mapping = {},
  ): Promise<ImportOutcome> =>
    transfer.importer.run({
      sender: openAccess(tenant),
      format,
      mapping,
      source: inPieces(Buffer.from(file), pieceBytes),
    })
  const rows = (): Row[] =>
    log.entries.flatMap(({ batch }) => {
      assert.equal(batch.tenant, tenant)
      return Array.from(batch.timestamps, (time, p): Row => {
        const s = batch.seriesIndex[p]
        const device = batch.devices[batch.seriesDevice[s]]
        const metric = batch.metrics[batch.seriesMetric[s]]
        return [device, metric, time, batch.texts?.[p] ?? batch.values[p]]
      })
    })
  return { exported, imported, rows, ledger, log, asked }
}

async function* inPieces(file: Buffer, bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < file.length; at += bytes) yield file.subarray(at, at + bytes)
}

function rowsOf(series: readonly SeriesPoints[]): Row[] {
  return series.flatMap(({ device, metric, timestamps, values, texts }) =>
    Array.from(timestamps, (time, i): Row => [device, metric, time, texts?.[i] ?? values[i]]),
  )
}

const awkward = fc.constantFrom(
  ...[
    '=1+1',
    '+a',
    '-a',
    '@SUM(A1)',
    "'",
    "''=",
    '\t=x',
    '\r',
    '"',
    '""',
    'a,b',
    'a;b',
    ' a',
    'a ',
  ],
  ...[
    'naïve ☂ 🌊',
    'NaN',
    'null',
    '-',
    '12',
    'true',
    '../../etc/passwd',
    'a\nb',
    'C:\\x',
    '\u2028',
  ],
)
const name = fc
  .oneof(awkward, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }))
  .filter(text => deviceIdProblem(text) === undefined && nameProblem(text) === undefined)
const text = fc
  .oneof(awkward, fc.constant(''), fc.string({ unit: 'grapheme', maxLength: 20 }))
  .filter(one => one.isWellFormed())
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 5e-324, -5e-324, Number.MAX_VALUE, 2 ** 53 + 2, 1e21, 0.1, -273.15, 1e22),
)
const time = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.maxSafeInteger().map(n => Math.abs(n) % LATEST_US),
)
const points = fc.uniqueArray(fc.tuple(time, fc.oneof({ weight: 3, arbitrary: number }, text)), {
  selector: ([at]) => at,
  minLength: 1,
  maxLength: 12,
})

const fleet: fc.Arbitrary<SeriesPoints[]> = fc
  .uniqueArray(fc.tuple(name, name, points), {
    selector: ([device, metric]) => `${device}\0${metric}`,
    minLength: 1,
    maxLength: 6,
  })
  .map(list =>
    list
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([device, metric, found]) => {
        const sorted = found.toSorted(([a], [b]) => a - b)
        const texts = sorted.map(([, value]) => (typeof value === 'string' ? value : undefined))
        return {
          ...{ device, metric },
          timestamps: Float64Array.from(sorted, ([at]) => at),
          values: Float64Array.from(sorted, ([, value]) =>
            typeof value === 'number' ? value : NaN,
          ),
          ...(texts.some(one => one !== undefined) ? { texts } : {}),
        }
      }),
  )

for (const format of FORMATS) {
  test(
    `${format}: what an export wrote is imported bit for bit`,
    { timeout: 300_000 },
    async () => {
      const styles = format === 'parquet' ? (['iso'] as const) : TIME_STYLES
      const run = async (series: SeriesPoints[], style: TimeStyle, pieceBytes: number) => {
        const from = subject(series)
        const file = await from.exported(format, style)
        const to = subject([], { tenant: 'another', pieceBytes })
        const outcome = await to.imported(format, file)
        const expected = rowsOf(series)
        const nothing = { rejected: [], rejectedTotal: 0, isForbidden: false }
        assert.deepEqual(outcome, { accepted: expected.length, ...nothing })
        assert.deepEqual(to.rows(), expected)
        assert.deepEqual(to.ledger.counts().pending, 0)
      }
      // A thread for each file makes Parquet slow to try.
      const numRuns = format === 'parquet' ? 25 : 300
      await fc.assert(
        fc.asyncProperty(fleet, fc.constantFrom(...styles), fc.integer({ min: 1, max: 500 }), run),
        { numRuns },
      )
    },
  )
}

test('an export asks the store for its tenant, and for nothing more at a time than it can name', async () => {
  const one = (device: string): SeriesPoints => ({
    ...{ device, metric: 'm', timestamps: Float64Array.of(1), values: Float64Array.of(2) },
  })
  const names = Array.from({ length: 600 }, (_, i) => `d${i}`)
  const { exported, asked } = subject(names.map(one), { tenant: 'mine' })
  const lines = (await exported('csv')).toString().trim().split('\n')
  assert.deepEqual(
    lines.slice(1).map(line => line.split(',')[1]),
    names,
  )
  assert.ok(asked.length > 1)
  for (const { select } of asked) {
    assert.equal(select.tenant, 'mine')
    assert.ok(select.devices.length <= 256)
  }
})

test('formulas are defused in CSV, numbers are left alone', async () => {
  const series: SeriesPoints = {
    ...{ device: '=cmd|A1', metric: '@m', timestamps: Float64Array.of(1, 2) },
    ...{ values: Float64Array.of(-5, NaN), texts: [undefined, '-2+3'] },
  }
  const csv = (await subject([series]).exported('csv')).toString()
  assert.deepEqual(csv.split('\n').slice(0, 3), [
    'time,device_id,metric,value,text',
    "1970-01-01T00:00:00.000001Z,'=cmd|A1,'@m,-5,",
    "1970-01-01T00:00:00.000002Z,'=cmd|A1,'@m,,'-2+3",
  ])
})

test('times are written in the unit asked for', async () => {
  const series: SeriesPoints = {
    ...{ device: 'd', metric: 'm', timestamps: Float64Array.of(0, 1_763_632_800_000_100) },
    values: Float64Array.of(1, 2),
  }
  const times: Record<string, string[]> = {}
  for (const style of TIME_STYLES) {
    const lines = (await subject([series]).exported('csv', style)).toString().trim().split('\n')
    times[style] = lines.map(line => line.split(',')[0])
  }
  assert.deepEqual(times, {
    iso: ['time', '1970-01-01T00:00:00.000000Z', '2025-11-20T10:00:00.000100Z'],
    us: ['time_us', '0', '1763632800000100'],
    ms: ['time_ms', '0', '1763632800000.1'],
    s: ['time_s', '0', '1763632800.0001'],
  })
})

const SKAB = [
  'datetime;Accelerometer1RMS;Volume Flow RateRMS;state',
  '2020-03-09 10:14:33;0.0269;32.0;on',
  '2020-03-09 10:14:34;;NaN;off',
  '2020-03-09 10:14:34;0.5;;true',
]
const AT = Date.UTC(2020, 2, 9, 10, 14, 33) * 1000

test('any CSV is imported with a mapping: a device, all columns', async () => {
  const { imported, rows } = subject()
  const outcome = await imported('csv', SKAB.join('\r\n'), { device: '=valve-1' })
  const nothing = { rejected: [], rejectedTotal: 0, isForbidden: false }
  assert.deepEqual(outcome, { accepted: 6, ...nothing })
  assert.deepEqual(rows(), [
    ['valve-1', 'Accelerometer1RMS', AT, 0.0269],
    ['valve-1', 'Volume Flow RateRMS', AT, 32],
    ['valve-1', 'state', AT, 'on'],
    ['valve-1', 'state', AT + 1e6, 'off'],
    ['valve-1', 'Accelerometer1RMS', AT + 1e6, 0.5],
    ['valve-1', 'state', AT + 1e6, 1],
  ])
})

test('any CSV is imported with a mapping: named columns, quotes, tabs, units', async () => {
  const { imported, rows } = subject()
  const file =
    'at\tmy, device\t"a ""b"""\tc\tskip\n1583748873123456789\tp1\t1\t2\t3\n1583748874.5\tp2\t\t5\t6\n'
  const mapping = {
    time: 'at',
    device: 'my, device',
    metrics: ['a "b"', 'c'],
    timeUnit: 'auto',
  } as const
  assert.equal((await imported('csv', file, mapping)).accepted, 3)
  assert.deepEqual(rows(), [
    ['p1', 'a "b"', 1583748873123456, 1],
    ['p1', 'c', 1583748873123456, 2],
    ['p2', 'c', 1583748874500000, 5],
  ])
  const other = subject()
  const small = 'when|dev|m\n12.25|d|1\n'
  await other.imported('csv', small, {
    time: 'when',
    device: 'dev',
    timeUnit: 's',
    delimiter: 'pipe',
  })
  assert.deepEqual(other.rows(), [['d', 'm', 12_250_000, 1]])
})

test('any CSV is imported with a mapping: a point a row', async () => {
  const { imported, rows } = subject()
  const file =
    'ts,sensor,what,reading,note\n2020-03-09,s1,t,1.5,x\n2020-03-09,s1,state,,open\n2020-03-10,s2,t,,\n'
  const mapping = { time: 'ts', device: 'sensor', metric: 'what', value: 'reading', text: 'note' }
  const outcome = await imported('csv', file, mapping)
  assert.deepEqual(outcome, {
    ...{ accepted: 2, rejectedTotal: 1, isForbidden: false },
    rejected: [{ index: 3, field: 'reading', detail: 'is empty' }],
  })
  assert.deepEqual(
    rows().map(([device, metric, , value]) => [device, metric, value]),
    [
      ['s1', 't', 1.5],
      ['s1', 'state', 'open'],
    ],
  )
})

test('bad rows are refused with their line, and the good ones kept', async () => {
  const { imported, rows, ledger } = subject()
  const lines = [
    'time,device_id,metric,value,text',
    '2020-03-09T00:00:00Z,d,m,1,',
    'yesterday,d,m,1,',
    '2020-03-09T00:00:01Z,,m,1,',
    '2020-03-09T00:00:02Z,d,"m\nn",1,',
    '2020-03-09T00:00:03Z,d,m,one,',
    '2020-03-09T00:00:03Z,d,m,,',
    '2020-03-09T00:00:04Z,d,m,9007199254740993,',
    '2099-01-01T00:00:00Z,d,m,1,',
    '2020-03-09T00:00:05Z,d',
    '2020-03-09T00:00:06Z,a/b,m,1,',
    '2020-03-09T00:00:07Z,d,m,1e999,',
    '2020-03-09T00:00:08Z,d,m,2,',
  ]
  const { accepted, rejected, rejectedTotal } = await imported('csv', lines.join('\n'))
  assert.equal(accepted, 2)
  assert.equal(rejectedTotal, 10)
  assert.deepEqual(
    rows().map(([, , , value]) => value),
    [1, 2],
  )
  assert.deepEqual(
    rejected.map(({ index, field }) => `${index + 1} ${field}`),
    [
      '3 time',
      '4 device_id',
      '5 m\nn',
      '7 value',
      '8 value',
      '9 value',
      '10 time',
      '11 ',
      '12 device_id',
      '13 value',
    ],
  )
  const counts = ledger.counts()
  assert.equal(
    [...counts.rejected.values()].reduce((sum, n) => sum + n, 0),
    10,
  )
  assert.equal(counts.received, 12)
})

test('of very many bad rows the first are listed, and all are counted', async () => {
  const { imported } = subject([], { pieceBytes: 65_536 })
  const rows = Array.from({ length: 30_000 }, (_, i) => `no time,d,m,${i},`)
  const file = ['time,device_id,metric,value,text', ...rows, '2020-03-09,d,m,1,'].join('\n')
  const { accepted, rejected, rejectedTotal } = await imported('csv', file)
  assert.deepEqual([accepted, rejected.length, rejectedTotal], [1, 1000, 30_000])
})

test('a quote that is not closed ends the import, with what came before kept', async () => {
  const { imported } = subject()
  const file =
    'time,device_id,metric,value,text\n2020-03-09,d,m,1,\n2020-03-10,d,m,,"open\n2020-03-11,d,m,3,\n'
  const { accepted, rejected } = await imported('csv', file)
  assert.equal(accepted, 1)
  assert.deepEqual(rejected, [
    { index: 2, field: '', detail: 'a quote is not closed; nothing after it was read' },
  ])
})

test('NDJSON: rows of Weir, and the messages of the native door, with their lines', async () => {
  const own = subject([], { pieceBytes: 17 })
  const rows = [
    '{"time":"2020-03-09T00:00:00Z","device_id":"d","metric":"m","value":-0}',
    '{"time":1583712001,"device_id":"d","metric":"m","value":null,"text":"x"}',
    '',
    'nonsense',
    '{"time_ms":1583712002000.5,"device_id":"d","metric":"m","value":9007199254740993}',
    '{"device_id":"d","metric":"m","value":1}',
    '{"time":"2020-03-09T00:00:03Z","device_id":"d","metric":"m","value":"1"}',
    '{"time":"2020-03-09T00:00:04Z","device_id":"d","metric":"m","value":1,"unit":"K"}',
  ]
  const outcome = await own.imported('ndjson', rows.join('\n'))
  assert.deepEqual([outcome.accepted, outcome.rejectedTotal], [3, 4])
  assert.deepEqual(
    outcome.rejected.map(({ index, field }) => `${index + 1} ${field}`),
    ['4 ', '5 value', '6 time', '7 value', '8 unit'],
  )
  assert.deepEqual(
    own.rows().map(([, , , value]) => value),
    [-0, 'x', 1],
  )

  const native = subject([], { maxPointsPerRequest: 1e6, pieceBytes: 65_536 })
  const messages = Array.from({ length: 20_000 }, (_, i) =>
    i % 1000 === 7
      ? '{"device_id":5}'
      : `{"device_id":"d","timestamp":${1583712000 + i},"data":{"a":${i},"b":true}}`,
  )
  const told = await native.imported('ndjson', messages.join('\n'))
  assert.equal(told.accepted, 2 * (20_000 - 20))
  assert.deepEqual(
    told.rejected.map(({ index }) => index),
    Array.from({ length: 20 }, (_, i) => 1000 * i + 7),
  )
})

test('what is no file of its format is refused with a reason', async () => {
  const wrong: [Format, Buffer | string, Mapping, RegExp][] = [
    ['csv', '', {}, /empty/],
    ['csv', 'time,a\n2020-01-01,1\n', {}, /device=COLUMN/],
    [
      'csv',
      'time,a\n2020-01-01,1\n',
      { device: 'dev' },
      /no column is called "dev"; there are: time, a/,
    ],
    ['csv', 'a,b\n1,2\n', { device: '=d' }, /no column holds times/],
    ['csv', 'time,a,a\n2020-01-01,1,2\n', { device: '=d' }, /two columns are called "a"/],
    [
      'csv',
      'time,a\n2020-01-01,1\n',
      { device: '=d', metric: 'a' },
      /needs time=COLUMN and value=COLUMN/,
    ],
    ['csv', Buffer.from('time,a\n2020-01-01,\xff\n', 'latin1'), { device: '=d' }, /not UTF-8/],
    ['parquet', 'PAR1 this is none', {}, /no whole Parquet file/],
    ['parquet', '', {}, /no whole Parquet file/],
  ]
  for (const [format, file, mapping, message] of wrong) {
    const { imported, rows } = subject()
    await assert.rejects(imported(format, file, mapping), message, String(message))
    assert.deepEqual(rows(), [])
  }
})

test('a Parquet file that was cut, or damaged, is refused', async () => {
  const series: SeriesPoints = {
    ...{ device: 'd', metric: 'm' },
    timestamps: Float64Array.from({ length: 1000 }, (_, i) => i),
    values: Float64Array.from({ length: 1000 }, (_, i) => Math.sin(i)),
  }
  const file = await subject([series]).exported('parquet')
  await assert.rejects(
    subject().imported('parquet', file.subarray(0, -10)),
    /no whole Parquet file/,
  )
  const damaged = Buffer.from(file)
  damaged.fill(0x5a, 40, 400)
  await assert.rejects(subject().imported('parquet', damaged), /row group at row 0/)
})

test('an import waits while there is no room, and keeps the order', async () => {
  const { imported, rows, log } = subject([], { pieceBytes: 65_536 })
  const lines = Array.from({ length: 20_000 }, (_, i) => `1970-01-01T00:00:01Z,d,m${i % 10},${i},`)
  const file = ['time,device_id,metric,value,text', ...lines].join('\n')
  assert.equal((await imported('csv', file)).accepted, 20_000)
  assert.deepEqual(
    rows().map(([, , , value]) => value),
    Array.from({ length: 20_000 }, (_, i) => i),
  )
  assert.ok(log.appends > 1)
})

test('when the log fails, the import ends and says what is durable', async () => {
  const { imported, log } = subject([], { pieceBytes: 65_536 })
  const lines = Array.from({ length: 60_000 }, (_, i) => `${i},d,m,${i},`)
  const file = ['time_us,device_id,metric,value,text', ...lines].join('\n')
  let appends = 0
  log.before = () =>
    ++appends > 2 ? Promise.reject(new Error('the disk is gone')) : Promise.resolve()
  await assert.rejects(imported('csv', file), (error: unknown) => {
    const { outcome, message } = error as Error & { outcome: ImportOutcome }
    assert.match(message, /the disk is gone/)
    assert.ok(outcome.accepted > 0 && outcome.accepted < 60_000, String(outcome.accepted))
    return true
  })
})
