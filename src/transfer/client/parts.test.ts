import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csvParts } from './csv-parts.ts'
import type { ImportPart } from './import-part.ts'
import { ndjsonParts } from './ndjson-parts.ts'

async function* inPieces(text: string, bytes: number): AsyncGenerator<Buffer> {
  const whole = Buffer.from(text)
  for (let at = 0; at < whole.length; at += bytes) {
    await Promise.resolve()
    yield whole.subarray(at, at + bytes)
  }
}

async function all(parts: AsyncIterable<ImportPart>): Promise<ImportPart[]> {
  const list: ImportPart[] = []
  for await (const part of parts) list.push(part)
  return list
}

const file = (text: string, mapping = {}) => ({
  source: inPieces(text, 60_001),
  ...{ bytes: Buffer.byteLength(text), mapping, device: 'bed-1' },
})

test('a CSV file is cut between records, each part with the header and the lines it had', async () => {
  const header = 'time,"two\nlines",note\r\n'
  const rows = Array.from(
    { length: 60_000 },
    (_, i) => `2020-01-01,${i},"${'x'.repeat(90)}\n""${i}"""\r\n`,
  )
  const parts = await all(csvParts(file(header + rows.join(''))))
  assert.ok(parts.length > 1)
  let text = ''
  let line = 2
  for (const { body, rowOf, mapping } of parts) {
    const lines = body.toString()
    assert.ok(lines.startsWith(header))
    assert.deepEqual(mapping, { device: '=bed-1', time: 'time' })
    assert.equal(rowOf(0), 0)
    assert.equal(rowOf(2), line)
    const records = lines.slice(header.length)
    assert.ok(records.endsWith('"""\r\n'))
    text += records
    line += records.split('\n').length - 1
  }
  assert.equal(text, rows.join(''))
  assert.equal(parts.at(-1)?.done, 1)
})

test('what a CSV file says by itself is not said again', async () => {
  const own = await all(csvParts(file('time_us,device_id,metric,value,text\n1,d,m,2,\n')))
  assert.deepEqual(
    own.map(({ mapping }) => mapping),
    [{}],
  )
  const named = await all(
    csvParts(file('a;b\n1;2020-01-01', { time: 'b', device: 'a', metrics: ['a'] })),
  )
  assert.deepEqual(named[0].mapping, { time: 'b', device: 'a', metrics: ['a'] })
  assert.equal(named[0].body.toString(), 'a;b\n1;2020-01-01')
  await assert.rejects(all(csvParts(file('a,b\n1,2\n'))), /no column holds times/)
  await assert.rejects(all(csvParts(file(''))), /empty/)
})

test('a quote that is never closed is no endless part', async () => {
  const open = `time,a\n2020-01-01,"${'x'.repeat(40 << 20)}`
  await assert.rejects(all(csvParts(file(open))), /has no end/)
})

test('an NDJSON file is cut between lines', async () => {
  const rows = Array.from(
    { length: 100_000 },
    (_, i) => `{"device_id":"d","data":{"m":${i},"pad":"${'y'.repeat(50)}"}}\n`,
  )
  const parts = await all(ndjsonParts(file(rows.join('').trimEnd())))
  assert.ok(parts.length > 1)
  assert.equal(parts.map(({ body }) => body.toString()).join(''), rows.join('').trimEnd())
  let line = 0
  for (const { body, rowOf } of parts) {
    assert.equal(rowOf(5), line + 5)
    line += body.toString().split('\n').length - 1
  }
})
