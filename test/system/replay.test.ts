import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { isoOf, usOf } from '../fixtures/point-model.ts'
import { readDevices, readRows } from '../fixtures/read-back.ts'
import { settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { runWeir, startWeir } from '../fixtures/weir-process.ts'

// 35 recorded runs of a pump test bed (SKAB), once a second, eight sensors and two labels.
const FOLDER = join(import.meta.dirname, '../../../shared/data/skab')
const skip = existsSync(FOLDER) ? false : 'optional: ../shared/data/skab is not there'

interface Recorded {
  readonly device: string
  /** By time, microseconds; of rows with the same time the last one. */
  readonly rows: Map<number, Record<string, number>>
  readonly points: number
}

/** These files are plain: a header, semicolons, no quotes. */
function recorded(path: string): Recorded {
  const [head, ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/)
  const [, ...metrics] = head.split(';')
  const rows: Recorded['rows'] = new Map()
  let points = 0
  for (const line of lines) {
    const [time, ...cells] = line.split(';')
    const timeUs = Date.parse(`${time.replace(' ', 'T')}Z`) * 1000
    const values: [string, number][] = []
    metrics.forEach((metric, i) => {
      if (cells[i] !== '') values.push([metric, Number(cells[i])])
    })
    points += values.length
    rows.set(timeUs, { ...rows.get(timeUs), ...Object.fromEntries(values) })
  }
  const device = `skab-${basename(dirname(path))}-${basename(path, '.csv')}`
  return { device, rows, points }
}

test(
  'recordings replayed over MQTT at full speed read back as the files are',
  { skip, timeout: 300_000 },
  async t => {
    const weir = await startWeir(t)
    const client = await weirClient(weir.url)
    const replay = await runWeir(
      ['simulate', '--replay', FOLDER, '--speed', 'max', '--target', weir.mqttUrl],
      { cwd: dirname(FOLDER) },
    )
    assert.equal(replay.code, 0, replay.stdout + replay.stderr)

    const recordings = globSync('**/*.csv', { cwd: FOLDER }).map(path =>
      recorded(join(FOLDER, path)),
    )
    assert.equal(recordings.length, 35)
    assert.deepEqual(
      (await readDevices(client)).toSorted(),
      recordings.map(({ device }) => device).toSorted(),
    )
    let points = 0
    let keys = 0
    for (const { device, rows, points: sent } of recordings) {
      points += sent
      const expected = [...rows]
        .sort(([a], [b]) => a - b)
        .map(([timeUs, values]) => ({ timestamp: isoOf(timeUs), ...values }))
      keys += expected.reduce((sum, row) => sum + Object.keys(row).length - 1, 0)
      assert.deepEqual(await readRows(client, device), expected, device)
    }
    const ledger = await settledLedger(client)
    assert.equal(ledger.received, points)
    assert.equal(ledger.stored, keys)
    assert.equal(ledger.rejected, 0)

    const { device, rows } = recordings.find(recording => recording.device === 'skab-valve1-0')!
    const chart = await client.read(`/api/v1/telemetry/${device}?metric=Pressure&max_points=200`)
    const [{ timestamps, values }] = chart.series as { timestamps: string[]; values: number[] }[]
    const times = [...rows.keys()].sort((a, b) => a - b)
    assert.equal(timestamps.length, 200)
    assert.equal(usOf(timestamps[0]), times[0])
    assert.equal(usOf(timestamps[199]), times.at(-1))
    for (const [i, time] of timestamps.entries()) {
      assert.equal(values[i], rows.get(usOf(time))?.['Pressure'])
    }
  },
)
