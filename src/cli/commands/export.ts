import { parseArgs } from 'node:util'
import { count, duration } from '../../simulate/progress.ts'
import type { CommandIo } from '../command.ts'
import { exitCode } from '../exit-code.ts'
import { connectionOf, CONNECTION_OPTIONS, runTransfer, UsageError } from '../transfer-run.ts'

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  format: { type: 'string' },
  out: { type: 'string' },
  device: { type: 'string', multiple: true, default: [] as string[] },
  metric: { type: 'string', multiple: true, default: [] as string[] },
  site: { type: 'string' },
  product: { type: 'string' },
  start: { type: 'string' },
  end: { type: 'string' },
  time: { type: 'string' },
  layout: { type: 'string' },
  gzip: { type: 'boolean', default: false },
} as const

export const EXPORT_HELP = `weir export: points of a running Weir as a file

  --url URL            where it runs (http://127.0.0.1:8080, or WEIR_URL)
  --key KEY            a key with the scope read (WEIR_KEY)
  --out FILE           where to; without it, standard output. It has its name when it is whole
  --format NAME        csv, ndjson or parquet (by the name of FILE, else csv)
  --layout long|wide   a row a point, or a row a time and a column a metric (long; CSV)
  --gzip               pack CSV and NDJSON (by the name of FILE: points.csv.gz)
  --device ID          only this device; may be repeated
  --metric NAME        only this metric; may be repeated
  --site, --product    only devices of a site, of a product
  --start, --end TIME  from a time on, and before a time
  --time iso|us|ms|s   how times are written (iso; CSV and NDJSON)
`

/** `weir export`: writes a file, and says how much it is. */
export function exportCommand(args: readonly string[], io: CommandIo): Promise<number> {
  return runTransfer('export', io, async signal => {
    const { values, positionals } = parseArgs({
      ...{ args: [...args], options: OPTIONS, allowPositionals: true },
    })
    const { out } = values
    const query = queryOf(values, positionals)
    const connection = connectionOf(values, io.env, signal)
    const { download } = await import('../../transfer/client/download.ts')
    const began = performance.now()
    let bytes = 0
    const say = (): string => {
      const seconds = (performance.now() - began) / 1000
      const rate = bytes / 1e6 / Math.max(0.001, seconds)
      return `${count(bytes)} bytes in ${duration(seconds * 1000)} (${rate.toFixed(1)} MB/s)`
    }
    const timer = setInterval(() => io.stderr.write(`${say()}\n`), 3000)
    try {
      await download(connection, {
        ...{ query, out: out ?? process.stdout },
        onBytes: more => (bytes += more),
      })
    } finally {
      clearInterval(timer)
    }
    io.stderr.write(`${out ?? 'standard output'}: ${say()}\n`)
    return exitCode('ok')
  })
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

function queryOf(values: Values, positionals: readonly string[]): URLSearchParams {
  const { out, gzip, device, metric } = values
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is no option`)
  const [, ending, packed] = /\.(csv|ndjson|jsonl|parquet)(\.gz)?$/i.exec(out ?? '') ?? []
  const named = ending?.toLowerCase() === 'jsonl' ? 'ndjson' : ending?.toLowerCase()
  const query = new URLSearchParams({ format: values.format ?? named ?? 'csv' })
  if (gzip || packed !== undefined) query.set('compression', 'gzip')
  for (const id of device ?? []) query.append('device_id', id)
  for (const name of metric ?? []) query.append('metric', name)
  for (const name of ['site', 'product', 'start', 'end', 'time', 'layout'] as const) {
    const value = values[name]
    if (value !== undefined) query.set(name, value)
  }
  return query
}
