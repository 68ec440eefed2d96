import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { RunRecord } from '../../../lab/run/record.ts'
import { readResults, RESULT_FILE } from '../../../lab/run/result-file.ts'
import type { CommandIo } from '../../command.ts'
import { exitCode } from '../../exit-code.ts'
import { isLabUsageError, LabFlags, LabUsageError } from '../../lab-flags.ts'
import { SEARCH_FLAGS, SEARCH_HELP, settingsOf } from '../../lab-settings.ts'
import { untilStopped } from '../../lab-stop.ts'

const OPTIONS = {
  topologies: { type: 'string' },
  profiles: { type: 'string' },
  blocks: { type: 'string' },
  seed: { type: 'string' },
  out: { type: 'string' },
  quick: { type: 'boolean' },
  control: { type: 'boolean' },
  ...SEARCH_FLAGS,
} as const

export const HELP = `weir lab run: compares topologies, and writes a report

  --quick                short phases and one block: a first look in less than half an hour
  --topologies LIST      of baseline, tune, scale, cache, queue, cluster, embedded, or files; the groups
                         are table (without cluster), all and stack (all; quick: table)
  --profiles LIST        workloads, or all (read-heavy,write-heavy,mixed,analytics; quick: without
                         analytics)
  --blocks N             every cell once a block, in random order (3; quick: 1)
  --control, --no-control  the baseline a second time, which shows the noise (yes; quick: no)
  --seed N               of the order, devices, payloads and arrivals (1)
  --out DIR              for results and report (lab-results/DATE). With the folder of a run that was
                         stopped, alone, that run goes on
${SEARCH_HELP}`

/** `weir lab run`: every cell, then the report. The first SIGINT stops cleanly, the second at once. */
export async function labRun(args: readonly string[], io: CommandIo): Promise<number> {
  const { LabRefusal } = await import('../../../lab/run/settings.ts')
  try {
    return await run(args, io)
  } catch (error) {
    if (!isLabUsageError(error) && !(error instanceof LabRefusal)) throw error
    io.stderr.write(`weir lab run: ${error.message}\n`)
    return exitCode(error instanceof LabRefusal ? 'refused' : 'usage')
  }
}

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    ...{ args: [...args], options: OPTIONS, allowPositionals: true, allowNegative: true },
  })
  if (positionals.length > 0) {
    throw new LabUsageError(`"${positionals[0]}" stands alone; lists are separated by commas`)
  }
  const { loadParts } = await import('../../../lab/run/load-parts.ts')
  const parts = await loadParts()
  const flags = new LabFlags(values)
  const directory = resolve(io.cwd, flags.text('out') ?? join('lab-results', dateName(new Date())))
  const before = existsSync(join(directory, RESULT_FILE))
    ? (await readResults(directory)).find((record): record is RunRecord => record.kind === 'run')
    : undefined
  const { quick, control } = values
  const workloads = Object.keys(parts.workloads)
  const settings = settingsOf(flags, { quick, control, before, workloads })

  const { runLab } = await import('../../../lab/run/run-lab.ts')
  const { TerminalProgress } = await import('../../../lab/run/terminal-progress.ts')
  const solutions = settings.solutions.map(({ id }) => id)
  const { profiles } = settings
  const progress = new TerminalProgress(io.stdout, { solutions, profiles })
  const shown = relative(io.cwd, directory) || '.'
  io.stdout.write(introduction(settings, shown))
  const isComplete = await untilStopped(io, async signal => {
    const command = ['weir', 'lab', 'run', ...args].join(' ')
    try {
      return await runLab(parts, { settings, directory, command, progress, signal })
    } finally {
      progress.end()
    }
  })
  if (!isComplete) {
    io.stdout.write(
      `\nStopped. What was measured is kept; to go on:\n\n  weir lab run --out ${shown}\n`,
    )
    return exitCode('ok')
  }
  const { writeReport } = await import('../../../lab/report/report.ts')
  const files = await writeReport(directory)
  const { tableText } = await import('../../lab-table.ts')
  const records = await readResults(directory)
  io.stdout.write(`\n${tableText(records)}\n\n`)
  for (const file of files) io.stdout.write(`${relative(io.cwd, resolve(directory, file))}\n`)
  const ends = records.filter(record => record.kind === 'cell')
  return exitCode(ends.every(({ problem }) => problem !== undefined) ? 'failed' : 'ok')
}

function introduction(settings: ReturnType<typeof settingsOf>, out: string): string {
  const { solutions, profiles, blocks, isQuick, seed } = settings
  const cells = solutions.length * profiles.length * blocks
  const kind = isQuick ? 'Quick look' : 'Run'
  return (
    `${kind}: ${solutions.map(({ id }) => id).join(', ')} × ${profiles.join(', ')} × ` +
    `${blocks} block${blocks === 1 ? '' : 's'} = ${cells} cell${cells === 1 ? '' : 's'}, seed ${seed}, into ${out}\n`
  )
}

/** `2026-11-21T10-30-00`: sorts by time, and is a name on every file system. */
function dateName(date: Date): string {
  return date.toISOString().slice(0, 19).replaceAll(':', '-')
}
