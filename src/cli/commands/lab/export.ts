import { writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseQuantity } from '../../../config/units.ts'
import {
  EXPORT_TOOLS,
  exportWorkload,
  type ExportedFile,
  type ExportTool,
} from '../../../lab/exports/exports.ts'
import { WORKLOADS } from '../../../lab/workloads/workloads.ts'
import type { CommandIo } from '../../command.ts'
import { exitCode } from '../../exit-code.ts'

const OPTIONS = {
  workload: { type: 'string' },
  tool: { type: 'string' },
  url: { type: 'string' },
  rate: { type: 'string' },
  duration: { type: 'string' },
  out: { type: 'string' },
} as const

export const HELP = `weir lab export --workload ID --tool NAME [OPTION…]   writes a workload for another tool
  --workload ID          ${Object.keys(WORKLOADS).join(', ')}
  --tool NAME            ${EXPORT_TOOLS.join(', ')}
  --url URL              where the platform is (http://127.0.0.1:8080, or WEIR_URL)
  --rate N               so many requests a second, in place of the workload's own
  --duration DURATION    so long in all, such as 30s or 5m; stages keep their proportions
  --out FILE             where to; without it, standard output (of Artillery's two files, both).
                         The functions of Artillery are written beside it, as FILE.cjs
`

class ExportUsageError extends Error {
  override name = 'UsageError'
}

/** `weir lab export`: prints the script, or writes it and says how to start it. */
export async function labExport(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { tool, out, files } = filesAsked(args, io)
    if (out === undefined) {
      io.stdout.write(files.map(({ text }) => text).join('\n'))
      return exitCode('ok')
    }
    const folder = dirname(out)
    for (const { name, text } of files) await writeFile(join(folder, name), text)
    const written = files.map(({ name }) => join(folder, name))
    io.stderr.write(`${written.join(', ')} written. To run it: ${START[tool](out)}\n`)
    return exitCode('ok')
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException
    const isUsage = name === 'UsageError' || code?.startsWith('ERR_PARSE_ARGS') === true
    if (!isUsage && !FILE_ERRORS.has(code ?? '')) throw error
    io.stderr.write(`weir lab export: ${message}\n`)
    return exitCode('usage')
  }
}

const FILE_ERRORS = new Set(['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'EROFS', 'EPERM'])

const START: Readonly<Record<ExportTool, (file: string) => string>> = {
  k6: file => `k6 run ${file}`,
  locust: file => `locust -f ${file} --headless`,
  artillery: file => `artillery run ${file}`,
}

interface Asked {
  readonly tool: ExportTool
  readonly out: string | undefined
  readonly files: readonly ExportedFile[]
}

function filesAsked(args: readonly string[], io: CommandIo): Asked {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const { workload: id = '', out } = values
  const tool = EXPORT_TOOLS.find(name => name === values.tool)
  if (!Object.hasOwn(WORKLOADS, id)) {
    throw new ExportUsageError(`--workload must be one of ${Object.keys(WORKLOADS).join(', ')}`)
  }
  if (tool === undefined) {
    throw new ExportUsageError(`--tool must be one of ${EXPORT_TOOLS.join(', ')}`)
  }
  const options = {
    url: urlOf(values.url ?? io.env['WEIR_URL']),
    rate: rateOf(values.rate),
    durationMs: durationOf(values.duration),
    fileName: out === undefined ? undefined : basename(out),
  }
  const path = out === undefined ? undefined : join(dirname(out), basename(out))
  return { tool, out: path, files: exportWorkload(WORKLOADS[id], tool, options) }
}

function urlOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url.replace(/\/$/, '')
  throw new ExportUsageError(`--url must be an http:// or https:// address, not "${url}"`)
}

function rateOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const rate = Number(text.replace(/\/s$/, ''))
  if (rate > 0 && rate < Infinity) return rate
  throw new ExportUsageError(`--rate must be a number above 0, not "${text}"`)
}

function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const durationMs = parseQuantity(text, 'ms')
  // None of the tools has shorter stages.
  if (durationMs !== undefined && durationMs >= 1000) return durationMs
  throw new ExportUsageError(`--duration must be at least 1s, such as 30s or 5m, not "${text}"`)
}
