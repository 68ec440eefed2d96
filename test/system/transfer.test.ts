import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { seededRandom } from '../fixtures/seeded-random.ts'
import { settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { runWeir, startWeir, type WeirProcess } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'weir-files-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Files of the shape of a pump test bed's recordings: semicolons, a row a second, gaps, repeats. */
function recordings(t: TestContext, path: string): number {
  const random = seededRandom(t)
  let points = 0
  for (const bed of ['valve1', 'valve2']) {
    mkdirSync(join(path, bed), { recursive: true })
    for (let file = 0; file < 3; file++) {
      const lines = ['datetime;Accelerometer1RMS;Volume Flow RateRMS;anomaly']
      for (let i = 0; i < 400; i++) {
        const at = new Date(Date.UTC(2020, 2, 9 + file) + 1000 * (random.chance(0.02) ? 5 : i))
        const cells = [random.next() * 0.1, Math.round(random.next() * 640) / 10, random.int(0, 2)]
        const written = cells.map(cell => (random.chance(0.05) ? '' : String(cell)))
        if (written.every(cell => cell === '')) continue
        points += written.filter(cell => cell !== '').length
        lines.push([at.toISOString().slice(0, 19).replace('T', ' '), ...written].join(';'))
      }
      writeFileSync(join(path, bed, `${file}.csv`), `${lines.join('\r\n')}\r\n`)
    }
  }
  return points
}

async function exported(weir: WeirProcess, path: string, args: string[] = []): Promise<Buffer> {
  const done = await runWeir(['export', '--url', weir.url, '--out', path, ...args])
  assert.equal(done.code, 0, done.stderr)
  assert.ok(!existsSync(`${path}.part`))
  return readFileSync(path)
}

test(
  'files imported as CSV are what they are when replayed over MQTT, series by series',
  LIMIT,
  async t => {
    const path = folder(t)
    const points = recordings(t, join(path, 'bed'))
    const args = ['--store.flushIntervalMs=500']
    const [replayed, imported] = [await startWeir(t), await startWeir(t, { args })]
    const replay = ['simulate', '--replay', 'bed', '--speed', 'max', '--target', replayed.mqttUrl]
    assert.equal((await runWeir(replay, { cwd: path })).code, 0)
    const send = (): Promise<{ code: number | null; stdout: string }> =>
      runWeir(['import', 'bed', '--url', imported.url], { cwd: path })
    const first = await send()
    assert.equal(first.code, 0, first.stdout)
    assert.match(first.stdout, /^6 files: [\d ]+ points accepted in .*, 0 refused\n$/)
    for (const format of ['csv', 'ndjson', 'parquet']) {
      const [one, other] = [replayed, imported].map((weir, i) =>
        exported(weir, join(path, `${i}.${format}`)),
      )
      assert.ok((await one).equals(await other), format)
    }
    const client = await weirClient(imported.url)
    const before = await settledLedger(client)
    assert.equal(before.received, points)

    // Again: nothing changes but the count of what was there already.
    const file = await exported(imported, join(path, 'before.csv'))
    assert.equal((await send()).code, 0)
    assert.ok((await exported(imported, join(path, 'after.csv'))).equals(file))
    const after = await settledLedger(client)
    assert.equal(after.stored, before.stored)
    assert.equal(after.received, 2 * points)
  },
)

test(
  'what one Weir exports, another imports, in every format, through the command line',
  LIMIT,
  async t => {
    const path = folder(t)
    const from = await startWeir(t)
    const client = await weirClient(from.url)
    const messages = ['=1+1', "'quoted'", 'naïve, ☂', 'plain'].flatMap((device_id, d) =>
      Array.from({ length: 3000 }, (_, i) => ({
        device_id,
        timestamp: 1_700_000_000_000_000 + 1_000_001 * i + d,
        data: {
          '@x': Math.sin(i) * 1e-300,
          n: -i,
          on: i % 2 === 0,
          text: i % 7 === 0 ? '' : `-${i}\n"`,
        },
      })),
    )
    assert.equal((await client.post('/api/v1/telemetry', messages)).status, 200)
    const file = await exported(from, join(path, 'all.csv'))
    for (const name of ['all.csv', 'all.ndjson', 'all.parquet', 'times.csv']) {
      const args = name === 'times.csv' ? ['--time', 's'] : []
      await exported(from, join(path, name), args)
      const to = await startWeir(t)
      const done = await runWeir(['import', join(path, name), '--url', to.url])
      assert.equal(done.code, 0, done.stdout + done.stderr)
      assert.ok((await exported(to, join(path, 'back.csv'))).equals(file), name)
      await to.stop()
    }
  },
)

test(
  'the command line names what was refused, by its line, and ends with another code',
  LIMIT,
  async t => {
    const path = join(folder(t), 'mixed.csv')
    const lines = Array.from({ length: 100_000 }, (_, i) => `${1_700_000_000 + i},p,${i},"a\nb"`)
    lines[70_000] = 'never,p,1,x'
    writeFileSync(path, ['ts,dev,v,note', ...lines].join('\n'))
    const weir = await startWeir(t)
    const map = ['--map', 'time=ts', '--map', 'device=dev', '--map', 'metrics=v']
    const done = await runWeir(['import', path, '--url', weir.url, ...map])
    assert.equal(done.code, 4, done.stderr)
    assert.match(done.stdout, /1 files: 99 999 points accepted .*, 1 refused/)
    // Every row before it takes two lines.
    assert.match(done.stderr, /line 140002: ts is not a time/)
    const wrong = await runWeir(['import', path, '--url', weir.url, '--map', 'device=nobody'])
    assert.equal(wrong.code, 4)
    assert.match(wrong.stderr, /no column is called "nobody"/)
    assert.equal((await runWeir(['import', '--url', weir.url])).code, 2)
    assert.equal((await runWeir(['import', 'absent.csv', '--url', weir.url])).code, 2)
    assert.equal((await runWeir(['export', '--url', 'ftp://x'])).code, 2)
    const unknown = await runWeir([
      'export',
      '--url',
      weir.url,
      '--device',
      'x',
      '--out',
      `${path}.out`,
    ])
    assert.equal(unknown.code, 4)
    assert.match(unknown.stderr, /there is no device "x"/)
    assert.ok(!existsSync(`${path}.out`))
  },
)

test('what an import left behind when it was killed is gone at the next start', LIMIT, async t => {
  const weir = await startWeir(t)
  const spool = join(weir.data, 'transfer')
  writeFileSync(join(spool, '1-1'), 'left')
  await weir.kill()
  await weir.start()
  assert.deepEqual(readdirSync(spool), [])
})
