import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { csvCells, CsvError, CsvReader, sniffDelimiter } from './csv-reader.ts'

/** All records, with the text given in pieces. */
function read(pieces: readonly string[], delimiter?: string): string[][] {
  const reader = new CsvReader(delimiter)
  const records: string[][] = []
  const take = (): void => {
    for (let cells = reader.next(); cells !== undefined; cells = reader.next()) records.push(cells)
  }
  for (const piece of pieces) {
    reader.push(piece)
    take()
  }
  reader.end()
  take()
  return records
}

test('the delimiter is the one that splits the header most', () => {
  assert.equal(sniffDelimiter('time,a,b'), ',')
  assert.equal(sniffDelimiter('time;a, in bar;b'), ';')
  assert.equal(sniffDelimiter('time\ta\tb'), '\t')
  assert.equal(sniffDelimiter('"a;b",time,c'), ',')
  assert.equal(sniffDelimiter('time'), ',')
  assert.deepEqual(read(['a;b\n1,5;2\n']), [
    ['a', 'b'],
    ['1,5', '2'],
  ])
})

test('cells are trimmed, but for what is in quotes', () => {
  assert.deepEqual(csvCells('1, "a ""b"", c " ,3', ','), ['1', 'a "b", c ', '3'])
  assert.deepEqual(csvCells('a;;', ';'), ['a', '', ''])
  assert.deepEqual(csvCells('\u00a0a\u00a0,"\u00a0"', ','), ['a', '\u00a0'])
  assert.deepEqual(csvCells('a"b"c,"d"e', ','), ['a"b"c', 'de'])
})

test('lines may end with LF or CRLF, and the last one with nothing; empty lines are no records', () => {
  const expected = [
    ['a', 'b'],
    ['1', ''],
    ['', '2'],
  ]
  assert.deepEqual(read(['\uFEFFa,b\r\n1,\r\n\r\n,2']), expected)
  assert.deepEqual(read(['a,b\n\n1,\n  \n,2\n\n']), expected)
  assert.deepEqual(read(['']), [])
  assert.deepEqual(read(['\n']), [])
})

test('it says which line a record begins on, and which cells were quoted', () => {
  const reader = new CsvReader(',')
  reader.push('h,i\n"a\n\nb","",\nlast,"",x\n')
  const seen: unknown[] = []
  for (let cells = reader.next(); cells !== undefined; cells = reader.next()) {
    seen.push([reader.line, cells, cells.map((_, i) => reader.wasQuoted(i))])
  }
  assert.deepEqual(seen, [
    [0, ['h', 'i'], [false, false]],
    [1, ['a\n\nb', '', ''], [true, true, false]],
    [4, ['last', '', 'x'], [false, true, false]],
  ])
})

test('a quote that is never closed is an error that names the line, and holds a bounded text', () => {
  assert.throws(
    () => read(['a,b\n1,2\n"open,3\n4,5']),
    (error: unknown) => error instanceof CsvError && error.line === 2,
  )
  const reader = new CsvReader(',')
  reader.push('a\n"')
  assert.deepEqual(reader.next(), ['a'])
  assert.throws(() => {
    for (let i = 0; i < 100; i++) {
      reader.push('x'.repeat(100_000))
      assert.equal(reader.next(), undefined)
    }
  }, /longer than/)
})

test('any cells are read back, however the text is cut', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', ';', '\n', '\r', ' ', 'ä', '🌊') })
  const row = fc.array(cell, { minLength: 2, maxLength: 5 })
  const rows = fc.array(row, { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(
      rows,
      fc.array(fc.nat(200), { maxLength: 6 }),
      fc.constantFrom('\n', '\r\n'),
      (table, cuts, end) => {
        const line = (cells: string[]): string =>
          cells.map(one => `"${one.replaceAll('"', '""')}"`).join(',') + end
        const text = table.map(line).join('')
        const places = [0, ...cuts.map(cut => cut % (text.length + 1)), text.length].sort(
          (a, b) => a - b,
        )
        const pieces = places.slice(1).map((place, i) => text.slice(places[i], place))
        assert.deepEqual(read(pieces, ','), table)
      },
    ),
    { numRuns: 2000 },
  )
})
