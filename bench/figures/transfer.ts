import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { atLeast, atMost, type BenchContext, type Figure } from '../figure.ts'
import { runLoad } from '../load/load.ts'
import { startServer, type BenchServer } from '../server.ts'
import { judgeLedger } from '../watch.ts'

const DEVICES = 2000
const METRICS = 5
const ROWS = 20
const SAMPLE_MS = 50
const MB = 1024 ** 2

/** A file out of one server and into another, fresh one: the rate, and the memory of the server. */
export async function transferFigures(context: BenchContext): Promise<Figure[]> {
  const folder = context.folder('export')
  const file = join(folder, '..', 'points.parquet')
  const readings = context.quick ? 200 : 1000
  const points = DEVICES * METRICS * readings
  await withServer(folder, server => load(context, server, readings))
  // Started anew: its memory is then that of the export, and all points are in blocks.
  const exported = await withServer(folder, async server => {
    const figures: Figure[] = []
    for (const format of ['parquet', 'csv'] as const) {
      const path = format === 'parquet' ? file : '/dev/null'
      figures.push(...(await exportFigures(server, { context, format, path, points })))
    }
    return figures
  })
  const imported = await withServer(context.folder('import'), server =>
    importFigure(server, { context, path: file, points }),
  )
  return [...exported, imported]
}

async function withServer<T>(folder: string, use: (server: BenchServer) => Promise<T>): Promise<T> {
  const server = await startServer(folder)
  try {
    const result = await use(server)
    await server.stop()
    return result
  } catch (error) {
    await server.kill().catch(() => {})
    throw error
  }
}

async function load(context: BenchContext, server: BenchServer, readings: number): Promise<void> {
  const before = await server.ledger()
  const startMs = Math.floor(Date.now() / 1000) * 1000 - readings * 10_000 - 60_000
  const totals = await runLoad({
    ...{ protocol: 'http', port: server.httpPort, connections: 4 },
    ...{ warmupMs: 0, windowMs: 0, windows: 0 },
    payload: {
      ...{ kind: 'mixture', group: 100, rows: ROWS, intervalMs: 10_000, readings },
      ...{ devices: DEVICES, startMs },
    },
  })
  const problems = judgeLedger(before, await server.ledger(), [totals])
  if (problems.length > 0) throw new Error(`loading: ${problems.join('; ')}`)
  context.say(`  loaded ${totals.overall.points.toLocaleString('en-US')} points`)
}

interface Transfer {
  readonly context: BenchContext
  readonly path: string
  readonly points: number
}

async function exportFigures(
  server: BenchServer,
  { context, format, path, points }: Transfer & { format: 'parquet' | 'csv' },
): Promise<Figure[]> {
  const before = server.memory().anonymousBytes
  const cpuBefore = server.cpuSeconds()
  const memory = sampleMemory(server)
  const began = performance.now()
  let bytes = 0
  const answer = await get(server, `/api/v1/export?format=${format}`)
  answer.on('data', (chunk: Buffer) => (bytes += chunk.length))
  await pipeline(answer, createWriteStream(path))
  const seconds = (performance.now() - began) / 1000
  const peak = await memory.end()
  const grown = Math.round((peak - before) / MB)
  const cpu = (server.cpuSeconds() - cpuBefore).toFixed(1)
  const size = (bytes / points).toFixed(2)
  context.say(`  ${format}: ${size} bytes a point, ${cpu} s of CPU, memory grew by ${grown} MB`)
  const value = points / seconds
  const name = `export as ${format}`
  const goals = format === 'parquet' ? [atLeast(2e6, 4e6)] : []
  const rate: Figure = { name, unit: 'points/s', value, values: [value], goals, problems: [] }
  if (format !== 'parquet') return [rate]
  const most = peak / MB
  const about = {
    name: 'memory of the server during it',
    unit: 'MB',
    goals: [atMost('value', 300)],
  }
  return [rate, { ...about, value: most, values: [before / MB, most], problems: [] }]
}

/** Until the last point is acknowledged, and the store has taken it. */
async function importFigure(
  server: BenchServer,
  { context, path, points }: Transfer,
): Promise<Figure> {
  const memory = sampleMemory(server)
  const cpuBefore = server.cpuSeconds()
  const began = performance.now()
  const { accepted } = await post(server, '/api/v1/import?format=parquet', path)
  let ledger = await server.ledger()
  while (ledger.in_flight_at.log + ledger.in_flight_at.writer > 0) {
    await sleep(20)
    ledger = await server.ledger()
  }
  const seconds = (performance.now() - began) / 1000
  const peak = await memory.end()
  const cpu = (server.cpuSeconds() - cpuBefore).toFixed(1)
  context.say(`  import: ${cpu} s of CPU, memory ${Math.round(peak / MB)} MB at most`)
  const held = ledger.stored + ledger.in_flight
  const problems =
    accepted === points && held === points
      ? []
      : [`${points} points were sent, ${accepted} accepted, ${held} held`]
  const value = points / seconds
  const goals = [atLeast(5e5, 1e6)]
  return { name: 'import of Parquet', unit: 'points/s', value, values: [value], goals, problems }
}

function sampleMemory(server: BenchServer): { end(): Promise<number> } {
  let peak = 0
  let ended = false
  const sampling = (async () => {
    while (!ended) {
      peak = Math.max(peak, server.memory().anonymousBytes)
      await sleep(SAMPLE_MS)
    }
  })()
  return {
    async end() {
      ended = true
      await sampling
      return peak
    },
  }
}

async function get(server: BenchServer, path: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  request({ host: '127.0.0.1', port: server.httpPort, path }, resolve).on('error', reject).end()
  const answer = await promise
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode}`)
  return answer
}

async function post(
  server: BenchServer,
  path: string,
  file: string,
): Promise<{ accepted: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { 'content-length': statSync(file).size }
  const sent = request(
    { host: '127.0.0.1', port: server.httpPort, path, method: 'POST', headers },
    resolve,
  )
  sent.on('error', reject)
  await pipeline(createReadStream(file), sent)
  const answer = await promise
  const text = (await answer.toArray()).join('')
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`)
  return JSON.parse(text) as { accepted: number }
}
