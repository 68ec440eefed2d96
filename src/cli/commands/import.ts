import { parseArgs } from 'node:util'
import { count, duration } from '../../simulate/progress.ts'
import type { Format } from '../../transfer/format.ts'
import type { Mapping } from '../../transfer/mapping.ts'
import type { UploadCounts } from '../../transfer/client/upload.ts'
import type { CommandIo } from '../command.ts'
import { exitCode } from '../exit-code.ts'
import { connectionOf, CONNECTION_OPTIONS, runTransfer, UsageError } from '../transfer-run.ts'

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  format: { type: 'string' },
  map: { type: 'string', multiple: true, default: [] as string[] },
} as const

export const IMPORT_HELP = `weir import FILE...: points of files into a running Weir

  FILE...            what weir export wrote, or any CSV, NDJSON or Parquet file; a folder stands
                     for the .csv files in it, at any depth
  --url URL          where it runs (http://127.0.0.1:8080, or WEIR_URL)
  --key KEY          a key with the scope ingest (WEIR_KEY)
  --format NAME      csv, ndjson or parquet (by the name of the file)
  --map NAME=COLUMN  what the columns of a file are that Weir did not write; may be repeated:
    time=COLUMN        the time (found by itself where there is one)
    time_unit=UNIT     iso, s, ms, us or ns (auto: numbers are told by their magnitude)
    device=COLUMN      the device; device==NAME: all is of one device. Without it, a CSV file is a
                       device named by the last three parts of its path: skab/valve1/0.csv is
                       skab-valve1-0
    metrics=A,B        the columns that are metrics (*: all others)
    metric=COLUMN, value=COLUMN, text=COLUMN
                       in place of metrics, for a point a row
    delimiter=NAME     comma, semicolon, tab or pipe (found by itself)

Times are kept. Importing again changes nothing, so an import that was stopped is simply done again.
`

const MAPPED = ['time', 'device', 'metric', 'value', 'text'] as const
const UNITS = ['auto', 'iso', 's', 'ms', 'us', 'ns'] as const
const DELIMITERS = ['comma', 'semicolon', 'tab', 'pipe']
const FORMATS: readonly Format[] = ['csv', 'ndjson', 'parquet']
const ENDINGS: Readonly<Record<string, Format>> = {
  ...{ csv: 'csv', tsv: 'csv', txt: 'csv', ndjson: 'ndjson', jsonl: 'ndjson' },
  ...{ parquet: 'parquet', pq: 'parquet' },
}

/** `weir import`: sends files, shows how it goes on, and ends with what was refused. */
export function importCommand(args: readonly string[], io: CommandIo): Promise<number> {
  return runTransfer('import', io, async signal => {
    const { values, positionals } = parseArgs({
      ...{ args: [...args], options: OPTIONS, allowPositionals: true },
    })
    if (positionals.length === 0) throw new UsageError('name the files to import')
    const mapping = mappingOf(values.map)
    const connection = connectionOf(values, io.env, signal)
    const { recordedFiles, deviceIdOfPath } = await import('../../simulate/recording.ts')
    const paths = await recordedFiles(positionals)
    const formats = paths.map(path => formatOf(path, values.format))
    const { upload } = await import('../../transfer/client/upload.ts')
    const total = { accepted: 0, refused: 0, files: 0 }
    const began = performance.now()
    for (const [i, path] of paths.entries()) {
      const counts: UploadCounts = { accepted: 0, refused: 0, rows: [], done: 0 }
      const stop = showProgress(io, path, counts)
      try {
        const device = deviceIdOfPath(path)
        await upload({ path, format: formats[i], mapping, device }, connection, counts)
      } finally {
        stop()
        total.accepted += counts.accepted
        total.refused += counts.refused
      }
      total.files++
    }
    const ms = performance.now() - began
    io.stdout.write(
      `${total.files} files: ${count(total.accepted)} points accepted in ${duration(ms)}` +
        ` (${count(total.accepted / (ms / 1000))}/s), ${count(total.refused)} refused\n`,
    )
    return exitCode(total.accepted > 0 && total.refused === 0 ? 'ok' : 'failed')
  })
}

/** A line every few seconds, and one at the end with the first rows that were refused. */
function showProgress(io: CommandIo, path: string, counts: UploadCounts): () => void {
  const began = performance.now()
  const line = (): string => {
    const ms = performance.now() - began
    const percent = Math.floor(100 * counts.done)
    const refused = counts.refused === 0 ? '' : `, ${count(counts.refused)} refused`
    return `${path}: ${percent}% · ${count(counts.accepted)} points${refused} · ${count(counts.accepted / (ms / 1000))}/s`
  }
  const tty = io.stderr.isTTY === true
  const show = (): void => void io.stderr.write(tty ? `\r\x1b[K${line()}` : `${line()}\n`)
  const timer = setInterval(show, tty ? 200 : 3000)
  return () => {
    clearInterval(timer)
    show()
    if (tty) io.stderr.write('\n')
    const isTable = /\.(parquet|pq)$/i.test(path)
    for (const { index, field, detail } of counts.rows) {
      io.stderr.write(`  ${isTable ? 'row' : 'line'} ${index + 1}: ${field} ${detail}\n`)
    }
    const more = counts.refused - counts.rows.length
    if (more > 0) io.stderr.write(`  and ${count(more)} more\n`)
  }
}

function formatOf(path: string, given: string | undefined): Format {
  const ending = /\.(\w+)$/.exec(path)?.[1].toLowerCase() ?? ''
  const format = given ?? ENDINGS[ending]
  if (FORMATS.includes(format as Format)) return format as Format
  throw new UsageError(`${path}: say --format csv, ndjson or parquet`)
}

/** @throws UsageError */
function mappingOf(pairs: readonly string[]): Mapping {
  const mapping: Record<string, string> = {}
  const metrics: string[] = []
  for (const pair of pairs) {
    const [, name, value] = /^([a-z_]+)=(.+)$/s.exec(pair) ?? []
    if (name === undefined) throw new UsageError(`--map ${pair} is not NAME=COLUMN`)
    if (name === 'metrics') metrics.push(value)
    else if (name === 'time_unit') mapping['timeUnit'] = oneOf(name, value, UNITS)
    else if (name === 'delimiter') mapping[name] = oneOf(name, value, DELIMITERS)
    else mapping[oneOf('', name, MAPPED)] = value
  }
  return metrics.length === 0 ? mapping : { ...mapping, metrics }
}

function oneOf(name: string, value: string, known: readonly string[]): string {
  if (known.includes(value)) return value
  const what = name === '' ? `there is no "${value}" to map` : `${name} cannot be "${value}"`
  throw new UsageError(`--map: ${what}; there are ${known.join(', ')}`)
}
