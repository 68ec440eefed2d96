import type { RunRecord } from '../run/record.ts'
import type { Evidence } from '../analysis/explanation.ts'
import { figure } from '../analysis/causes/figure.ts'

/** What a reader needs to judge the figures, or to get them again: name and value. */
export function runFacts({ run }: { readonly run: RunRecord }): [name: string, value: string][] {
  const { machine, slo, phases } = run
  return [
    ['Date', run.startedAt],
    ['Command', run.command],
    ['Seed', String(run.seed)],
    ['Blocks', String(run.blocks)],
    ['Commit', machine.commit],
    ['Processor', `${machine.cpu}, ${machine.cores} cores`],
    ['Memory', bytes(machine.memoryBytes)],
    ['Kernel', machine.kernel],
    ['Versions', [`Node ${machine.node}`, ...machine.servers].join(', ')],
    [
      'fsync of 4 KB',
      `${figure(machine.fsyncP50Ms)} ms (p50), ${figure(machine.fsyncP99Ms)} ms (p99)`,
    ],
    [
      'SLO',
      `p99 ≤ ${slo.p99Ms} ms, p95 ≤ ${slo.p95Ms} ms per endpoint; errors below ` +
        `${figure(slo.maxErrorShare * 100)} %; achieved ≥ ${figure(slo.minAchievedShare * 100)} % ` +
        `of offered; freshness p99 ≤ ${slo.freshnessP99Ms} ms; no point lost`,
    ],
    [
      'Phases',
      `warm-up ${seconds(phases.warmUpMs)}, measured ${seconds(phases.measureMs)}, confirmed ` +
        `${seconds(phases.confirmMs)}, overload ${figure(phases.overloadFactor)} × for ` +
        `${seconds(phases.overloadMs)}; rates found to ${figure(phases.precision * 100)} %`,
    ],
  ]
}

export function seconds(ms: number): string {
  return `${figure(ms / 1000)} s`
}

export function bytes(count: number): string {
  if (count >= 2 ** 30) return `${figure(count / 2 ** 30)} GiB`
  return `${figure(count / 2 ** 20)} MiB`
}

export function percent(share: number): string {
  return `${figure(share * 100)} %`
}

/** `ceiling 1995/s`, `wait 40 ms`. */
export function evidenceText({ figure: name, value, unit }: Evidence): string {
  const gap = unit === '' || unit.startsWith('/') ? '' : ' '
  return `${name} ${figure(value)}${gap}${unit}`
}
