import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CsvError, CsvReader } from '../../kit/csv-reader.ts'
import { OpenQuotes } from './open-quotes.ts'

const DELIMITERS = [',', ';', '\t', undefined] as const

/** The records of a text, and whether it ends within one. */
function recordsOf(text: string, delimiter: string): { records: string[][]; isOpen: boolean } {
  const reader = new CsvReader(delimiter)
  const records: string[][] = []
  reader.push(text)
  reader.end()
  try {
    for (let cells = reader.next(); cells !== undefined; cells = reader.next()) records.push(cells)
  } catch (error) {
    if (error instanceof CsvError) return { records, isOpen: true }
    throw error
  }
  return { records, isOpen: false }
}

const pieces = fc.array(
  fc.constantFrom('a', '"', '"', '""', ',', ';', '\t', ' ', '\n', '\r\n', '3" pipe', 'é'),
  { maxLength: 40 },
)

const chunkSizes = fc.integer({ min: 1, max: 9 })

test('it ends records where the reader does, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      ...[fc.tuple(pieces, fc.boolean()), fc.constantFrom(...DELIMITERS), chunkSizes],
      ([parts, hasMark], given, size) => {
        const text = parts.join('')
        const whole = Buffer.from(hasMark ? `\uFEFF${text}` : text)
        const quotes = new OpenQuotes(given)
        let end = 0
        for (let at = 0; at < whole.length; at += size) {
          const found = quotes.lastEnd(whole.subarray(at, at + size))
          if (found > 0) end = at + found
        }
        const reader = new CsvReader(given)
        reader.push(text)
        reader.end()
        try {
          reader.next()
        } catch {
          // The delimiter is known all the same.
        }
        const delimiter = reader.delimiter ?? ','
        const all = recordsOf(text, delimiter)
        const before = recordsOf(whole.toString('utf8', 0, end), delimiter)
        const rest = recordsOf(whole.toString('utf8', end), delimiter)
        assert.equal(before.isOpen, false)
        assert.deepEqual([...before.records, ...rest.records], all.records)
        assert.equal(rest.isOpen, all.isOpen)
        // All that has ended is in front.
        assert.ok(rest.isOpen || rest.records.length <= 1)
      },
    ),
    { numRuns: 3000 },
  )
})

test('a quote within a cell is an inch, and opens nothing', () => {
  const quotes = new OpenQuotes()
  const text = 'time,note\n1,a 3" pipe\n2,"two\nlines"\n3,"op'
  assert.equal(quotes.lastEnd(Buffer.from(text)), text.indexOf('3,"op'))
  assert.equal(quotes.lastEnd(Buffer.from('en\n"\n4,x')), 5)
})
