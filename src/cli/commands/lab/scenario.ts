import { parseArgs } from 'node:util'
import { changedPace } from '../../../lab/generator/pace.ts'
import { runScenario } from '../../../lab/run/scenario.ts'
import type { CommandIo } from '../../command.ts'
import { exitCode } from '../../exit-code.ts'
import { defined, isLabUsageError, LabFlags, LabUsageError } from '../../lab-flags.ts'
import { untilStopped } from '../../lab-stop.ts'
import { onTarget, solutionOf, targetOf } from '../../lab-target.ts'
import { scenarioText, tickText } from '../../scenario-text.ts'

const OPTIONS = {
  workload: { type: 'string' },
  topology: { type: 'string' },
  url: { type: 'string' },
  key: { type: 'string' },
  rate: { type: 'string' },
  duration: { type: 'string' },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean' },
} as const

export const HELP = `weir lab scenario: runs a workload once, as it is defined

  --workload ID          steady-state, burst, reconnect-storm, product-catalogue, or a profile
  --topology NAME|FILE   started fresh, with the history that the workload asks for (embedded)
  --url URL              or a system that runs already; a Weir is sent the history too, and keeps it
  --key KEY              for a system that asks for keys (WEIR_KEY)
  --rate R               requests a second, in place of its own executor
  --duration DURATION    of all of it
  --seed N               of devices, payloads and arrivals (1)
  --json                 print the result as JSON, and the seconds on standard error
`

/** `weir lab scenario`: a line a second, then what every kind of request got, and the verdict. */
export async function labScenario(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    return await scenario(args, io)
  } catch (error) {
    if (!isLabUsageError(error)) throw error
    io.stderr.write(`weir lab scenario: ${error.message}\n`)
    return exitCode('usage')
  }
}

async function scenario(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const flags = new LabFlags(values)
  const target = targetOf(values)
  const { loadParts } = await import('../../../lab/run/load-parts.ts')
  const parts = await loadParts()
  const id = values.workload ?? ''
  if (!Object.hasOwn(parts.workloads, id)) {
    const there = Object.keys(parts.workloads).join(', ')
    throw new LabUsageError(`--workload must be one of ${there}, not "${id}"`)
  }
  const workload = parts.workloads[id]
  const pace = defined({ rate: flags.rate('rate'), durationMs: flags.durationMs('duration') })
  const executor = changedPace(workload.executor, pace)
  const seed = flags.whole('seed', 0)!
  const key = values.key ?? io.env['WEIR_KEY']
  const out = values.json === true ? io.stderr : io.stdout
  const report = (line: string): unknown => out.write(`  ${line}\n`)
  const { startLoad, startProbes } = parts
  const result = await untilStopped(io, signal =>
    onTarget(target, { parts, key, cwd: io.cwd, report }, house =>
      runScenario(
        { startLoad, startProbes, house },
        {
          ...{ solution: solutionOf(target), workload, executor, seed, signal },
          ...(key === undefined ? {} : { key }),
          onTick: tick => out.write(`${tickText(tick)}\n`),
        },
      ),
    ),
  )
  io.stdout.write(values.json === true ? `${JSON.stringify(result)}\n` : scenarioText(result))
  return exitCode(result.verdict.outcome === 'pass' ? 'ok' : 'failed')
}
