import { parseArgs } from 'node:util'
import { runCell } from '../../../lab/run/cell-runner.ts'
import type { StepParts } from '../../../lab/run/parts.ts'
import { FULL_PHASES, QUICK_PHASES } from '../../../lab/run/phases.ts'
import type { CellRecord } from '../../../lab/run/record.ts'
import { TerminalProgress } from '../../../lab/run/terminal-progress.ts'
import type { Workload } from '../../../lab/workloads/workload.ts'
import type { CommandIo } from '../../command.ts'
import { exitCode } from '../../exit-code.ts'
import { isLabUsageError, LabFlags, LabUsageError } from '../../lab-flags.ts'
import { phasesOf, SEARCH_FLAGS, sloOf } from '../../lab-settings.ts'
import { untilStopped } from '../../lab-stop.ts'
import { onTarget, solutionOf, targetOf, type LabTarget } from '../../lab-target.ts'

const OPTIONS = {
  topology: { type: 'string' },
  url: { type: 'string' },
  key: { type: 'string' },
  workload: { type: 'string', default: 'mixed' },
  seed: { type: 'string', default: '1' },
  connections: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'boolean' },
  ...SEARCH_FLAGS,
} as const

export const HELP = `weir lab ramp: searches the highest rate that one system holds

  --topology NAME|FILE   started fresh for every step (embedded)
  --url URL              or a system that runs already; a Weir is sent the history once, and keeps it
  --key KEY              for a system that asks for keys (WEIR_KEY)
  --workload ID          what is sent (mixed)
  --connections N        at most at once (1024)
  --quick                short phases
  --seed N               of devices, payloads and arrivals (1)
  --json                 print the result as JSON, and the steps on standard error
  and the options of \`weir lab run\` from --start-rate on
`

/** `weir lab ramp`: a line a step, then the rate and what stopped it. */
export async function labRamp(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    return await ramp(args, io)
  } catch (error) {
    if (!isLabUsageError(error)) throw error
    io.stderr.write(`weir lab ramp: ${error.message}\n`)
    return exitCode('usage')
  }
}

async function ramp(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const flags = new LabFlags(values)
  const target = targetOf(values)
  const { loadParts } = await import('../../../lab/run/load-parts.ts')
  const parts = await loadParts()
  if (!Object.hasOwn(parts.workloads, values.workload)) {
    const there = Object.keys(parts.workloads).join(', ')
    throw new LabUsageError(`no such workload: ${values.workload} (there are ${there})`)
  }
  const workload = parts.workloads[values.workload]
  const asked = { target, workload, flags, isQuick: values.quick === true, io }
  const key = values.key ?? io.env['WEIR_KEY']
  const out = values.json === true ? io.stderr : io.stdout
  const result = await untilStopped(io, signal => {
    const report = (line: string): unknown => out.write(`  ${line}\n`)
    const { startLoad, startProbes } = parts
    return onTarget(target, { parts, key, cwd: io.cwd, report }, house =>
      search({ startLoad, startProbes, house }, { ...asked, out, signal, key }),
    )
  })
  if (result === undefined) return exitCode('ok')
  if (values.json === true) io.stdout.write(`${JSON.stringify(result)}\n`)
  return exitCode(result.problem === undefined ? 'ok' : 'failed')
}

interface AskedSearch {
  readonly target: LabTarget
  readonly workload: Workload
  readonly flags: LabFlags
  readonly isQuick: boolean
  readonly key: string | undefined
  readonly out: CommandIo['stdout']
  readonly signal: AbortSignal
}

async function search(parts: StepParts, asked: AskedSearch): Promise<CellRecord | undefined> {
  const { target, workload, flags, out, signal, key } = asked
  const solution = solutionOf(target)
  const connections = flags.whole('connections')
  const progress = new TerminalProgress(out, {
    ...{ solutions: [solution.id], profiles: [workload.id] },
    nameOf: cell => `${cell.solution} · ${cell.profile}`,
  })
  try {
    const end = await runCell(parts, {
      cell: { block: 1, solution: solution.id, profile: workload.id },
      ...{ solution, workload, signal, progress },
      seed: flags.whole('seed', 0)!,
      slo: sloOf(flags, workload.slo),
      phases: phasesOf(flags, asked.isQuick ? QUICK_PHASES : FULL_PHASES),
      ...(connections === undefined ? {} : { connections }),
      ...(key === undefined ? {} : { key }),
      before: [],
      append() {},
    })
    if (end !== undefined) progress.cellEnds(end, { done: 1, cells: 1, leftMs: 0 })
    return end
  } finally {
    progress.end()
  }
}
