import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cellNumber, cellTime, csvLayout, RecordingError } from './csv-layout.ts'
import type { CsvChoice, CsvLayout } from './csv-layout.ts'

/** The layout of lines without quotes, split by a semicolon where the header has one. */
function layoutOf(header: string, lines: readonly string[], choice: CsvChoice): CsvLayout {
  const delimiter = header.includes(';') ? ';' : ','
  const [names, ...rows] = [header.replace('\uFEFF', ''), ...lines].map(line =>
    line.split(delimiter),
  )
  return csvLayout(names, rows, choice)
}

describe('the layout of a CSV file', () => {
  it('takes only finite numbers as numbers', () => {
    assert.equal(cellNumber('-1.5e3'), -1500)
    assert.deepEqual(['0.5', '0e1', '0', '-0.0', '+7'].map(cellNumber), [0.5, 0, 0, -0, 7])
    for (const cell of ['', 'NaN', 'Infinity', 'on', '1,5', '0x1f', '0b1'])
      assert.ok(Number.isNaN(cellNumber(cell)))
  })

  it('reads times without a zone as UTC, and numbers by their magnitude', () => {
    const time = Date.UTC(2020, 2, 9, 10, 14, 33) * 1000
    assert.equal(cellTime('2020-03-09 10:14:33'), time)
    assert.equal(cellTime('2020-03-09T12:14:33.000001+02:00'), time + 1)
    assert.equal(cellTime(String(time / 1e6)), time)
    assert.equal(cellTime(String(time / 1000)), time)
    assert.ok(Number.isNaN(cellTime('yesterday')))
  })

  it('takes every column of numbers as a metric, by its exact name', () => {
    const header = '\uFEFFdatetime;Volume Flow RateRMS;state;empty;anomaly'
    const rows = ['2020-03-09 10:14:33;32.0;on;;0.0', '2020-03-09 10:14:34;;off;;1.0']
    const layout = layoutOf(header, rows, {})
    assert.equal(layout.timeColumn, 0)
    assert.deepEqual(
      layout.metricColumns.map(column => layout.header[column]),
      ['Volume Flow RateRMS', 'anomaly'],
    )
  })

  it('takes the first column of times where none is called like one, and no small numbers', () => {
    const layout = layoutOf(
      'row,value,when,other',
      ['1,2.5,2020-03-09,4', '2,2.6,2020-03-10,5'],
      {},
    )
    assert.equal(layout.timeColumn, 2)
    assert.deepEqual(layout.metricColumns, [0, 1, 3])
    assert.equal(layoutOf('a,b', ['7,1583748873', '8,1583748874'], {}).timeColumn, 1)
  })

  it('takes the columns that are named', () => {
    const choice = { timeColumn: 'at', deviceColumn: 'device' }
    const layout = layoutOf('time,at,device,v', ['2020-01-01,2021-01-01,7,1'], choice)
    assert.deepEqual([layout.timeColumn, layout.deviceColumn], [1, 2])
    assert.deepEqual(layout.metricColumns, [3])
  })

  it('takes all other columns as metrics, or those that are named, when asked to', () => {
    const rows = ['2020-01-01,on,1,', '2020-01-02,off,2,']
    const metrics = (choice: CsvChoice['metrics'] & {}): readonly number[] =>
      layoutOf('time,state,a,b', rows, { metrics: choice }).metricColumns
    assert.deepEqual(metrics('all'), [1, 2, 3])
    assert.deepEqual(metrics('numbers'), [2])
    assert.deepEqual(metrics(['b', 'state']), [3, 1])
    assert.throws(() => metrics(['c']), /no column is called "c"/)
  })

  it('says what is wrong with a file that cannot be replayed', () => {
    const file = (header: string, row: string, choice = {}) => ({ header, row, choice })
    const wrong: [RegExp, ReturnType<typeof file>][] = [
      [/no column holds times/, file('a,b', '1,2')],
      [/no column holds numbers/, file('time,b', '2020-01-01,x')],
      [/two columns are called "b"/, file('time,b,b', '2020-01-01,1,2')],
      [
        /no column is called "when"; there are: time, b/,
        file('time,b', '2020-01-01,1', { timeColumn: 'when' }),
      ],
    ]
    for (const [message, { header, row, choice }] of wrong) {
      assert.throws(
        () => layoutOf(header, [row], choice),
        (error: unknown) => error instanceof RecordingError && message.test(error.message),
      )
    }
  })
})
