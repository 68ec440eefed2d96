import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Message } from './message.ts'
import {
  deviceIdOfPath,
  openRecording,
  recordedFiles,
  recordedRows,
  type RecordedRow,
} from './recording.ts'
import { replayMessages } from './replay.ts'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-recording-'))
})
after(() => rmSync(folder, { recursive: true }))

function file(name: string, lines: readonly string[]): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, lines.join('\r\n'))
  return path
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const START_US = Date.UTC(2020, 2, 9, 10, 14, 33) * 1000

describe('a recording', () => {
  it('is a device named by the last three parts of its path', () => {
    assert.equal(deviceIdOfPath('../shared/data/skab/valve1/0.csv'), 'skab-valve1-0')
    assert.equal(deviceIdOfPath('skab/valve1/0.csv'), 'skab-valve1-0')
    assert.equal(deviceIdOfPath('./pump.csv'), 'pump')
    assert.equal(deviceIdOfPath('/a+b/c#1.tsv'), 'a-b-c-1')
  })

  it('is found in folders at any depth', async () => {
    file('deep/one/b.csv', ['x'])
    file('deep/a.csv', ['x'])
    file('deep/notes.txt', ['x'])
    const found = await recordedFiles([join(folder, 'deep'), join(folder, 'deep/notes.txt')])
    assert.deepEqual(
      found.map(path => path.slice(folder.length + 1)),
      ['deep/a.csv', 'deep/one/b.csv', 'deep/notes.txt'],
    )
  })

  it('gives its rows in order with the cells that hold numbers, and counts what it leaves out', async () => {
    const path = file('rows.csv', [
      'datetime;Pressure;Volume Flow RateRMS;note',
      '2020-03-09 10:14:33;0.054711;32.0;ok',
      '2020-03-09 10:14:34;;-0.273216;',
      'broken;1;2;',
      '',
      '2020-03-09 10:14:35;NaN;;',
      '2020-03-09 10:14:36;5;7;last line without an end',
    ])
    const recording = await openRecording(path, {})
    assert.equal(recording.firstTime, START_US)
    assert.equal(recording.lastTime, START_US + 3e6)
    const skipped = { rows: 0 }
    const rows: RecordedRow[] = await all(recordedRows(recording, skipped))
    assert.deepEqual(
      rows.map(row => [row.time - START_US, row.data]),
      [
        [0, { Pressure: 0.054711, 'Volume Flow RateRMS': 32 }],
        [1e6, { 'Volume Flow RateRMS': -0.273216 }],
        [3e6, { Pressure: 5, 'Volume Flow RateRMS': 7 }],
      ],
    )
    assert.equal(skipped.rows, 2)
    assert.equal(rows.at(-1)?.bytesRead, recording.bytes)
  })

  it('takes the device from a column', async () => {
    const path = file('fleet.csv', [
      'ts,unit,v',
      '1583748873,a,1',
      '1583748873,b,2',
      '1583748874,,3',
    ])
    const skipped = { rows: 0 }
    const rows = await all(
      recordedRows(await openRecording(path, { deviceColumn: 'unit' }), skipped),
    )
    assert.deepEqual(
      rows.map(row => row.deviceId),
      ['a', 'b'],
    )
    assert.equal(skipped.rows, 1)
  })

  it('names the file that is no recording', async () => {
    const path = file('empty.csv', ['time,a'])
    await assert.rejects(openRecording(path, {}), /empty\.csv: no line of data/)
    await assert.rejects(openRecording(join(folder, 'absent.csv'), {}), { code: 'ENOENT' })
  })
})

describe('a replay', () => {
  const rows = [
    'time,v',
    '2020-03-09T10:14:33Z,1',
    '2020-03-09T10:14:43Z,2',
    '2020-03-09T10:14:53Z,3',
  ]
  const replay = async (options: {
    speed: number
    rebaseToUs: number | undefined
  }): Promise<Message[]> => {
    const recording = await openRecording(file('replay.csv', rows), {})
    return all(replayMessages(recording, options, { rows: 0, bytesRead: 0 }))
  }
  const times = (messages: Message[]): unknown[] => messages.map(message => message.timestamp)

  it('keeps the original timestamps and is due at the chosen speed', async () => {
    const messages = await replay({ speed: 10, rebaseToUs: undefined })
    assert.deepEqual(
      messages.map(message => message.dueMs),
      [0, 1000, 2000],
    )
    assert.deepEqual(times(messages), [
      '2020-03-09T10:14:33.000Z',
      '2020-03-09T10:14:43.000Z',
      '2020-03-09T10:14:53.000Z',
    ])
  })

  it('is due at once at unlimited speed', async () => {
    const messages = await replay({ speed: Infinity, rebaseToUs: undefined })
    assert.ok(messages.every(message => message.dueMs === 0))
  })

  it('rebased, has each row at the time at which it is due, or ends now at unlimited speed', async () => {
    const rebaseToUs = Date.UTC(2026, 0, 1) * 1000
    assert.deepEqual(times(await replay({ speed: 10, rebaseToUs })), [
      '2026-01-01T00:00:00.000Z',
      '2026-01-01T00:00:01.000Z',
      '2026-01-01T00:00:02.000Z',
    ])
    assert.deepEqual(times(await replay({ speed: Infinity, rebaseToUs })), [
      '2025-12-31T23:59:40.000Z',
      '2025-12-31T23:59:50.000Z',
      '2026-01-01T00:00:00.000Z',
    ])
  })
})
