import type { RunRecord, StepRecord } from '../run/record.ts'
import { CAUSES } from './causes.ts'
import { withoutFigures } from './causes/instrument.ts'
import type { Explanation } from './explanation.ts'
import { isMeasured, middleResult } from './result-set.ts'
import type { BlockCell, Cell, MeasuredStep, ResultSet } from './result-set.ts'
import { isControl } from './ratios.ts'
import { isWrite } from './request-kind.ts'
import { allSettings, settingText } from './topology-settings.ts'
import { utilisationOf } from './utilisation.ts'
import type { Workload } from '../workloads/workload.ts'

export interface Bottleneck {
  readonly solution: string
  readonly profile: string
  /** The block it is told of: the one in the middle. */
  readonly block: number
  /** The rate of the step it is told of. */
  readonly rate: number
  /** The limit first, then what stands close behind it. */
  readonly explanations: readonly Explanation[]
}

/** Of every cell that has a step to look at; A/A controls are left out. */
export function bottlenecksOf(set: ResultSet): Bottleneck[] {
  const { machine, solutions } = set.run
  return set.cells.flatMap(cell => {
    const solution = solutions.find(({ id }) => id === cell.solution)
    if (solution === undefined || isControl(cell.solution)) return []
    const settings = allSettings(machine.topologies, solution).map(settingText)
    return bottleneckOf(cell, set.run, settings) ?? []
  })
}

export function bottleneckOf(
  cell: Cell,
  { machine, workloads }: Pick<RunRecord, 'machine' | 'workloads'>,
  settings: readonly string[] = [],
): Bottleneck | undefined {
  const block = middleResult(cell) ?? cell.blocks.find(({ steps }) => steps.some(isMeasured))
  const step = block && limitStep(block)
  if (block === undefined || step === undefined) return undefined
  const { solution, profile } = cell
  const told = { solution, profile, block: block.block, rate: step.rate }
  if (!isMeasured(step)) return { ...told, explanations: [withoutFigures(step)!] }
  const use = utilisationOf(step, machine)
  const maxRate = block.end?.maxRate ?? 0
  const workload = workloads?.find(({ id }) => id === profile)
  const writeShare = writeShareOf(step, workload)
  const scene = { cell: block, step, use, maxRate, writeShare, settings }
  const found = CAUSES.flatMap(look => look(scene) ?? [])
  // `unknown` is the last of the causes and always has an answer; it stands alone or not at all.
  return { ...told, explanations: found.length > 1 ? found.slice(0, -1) : found }
}

function limitStep({ steps, end, confirm }: BlockCell): StepRecord | undefined {
  const measured = steps.filter(isMeasured)
  const lost = measured.findLast(({ verdict }) => verdict.outcome === 'invalid')
  if (lost !== undefined && confirm === undefined) return lost
  const above = steps.filter(step => isDecisive(step) && step.rate > (end?.maxRate ?? 0))
  // What was void is tried again, and what held to be confirmed: the last try of a rate decides.
  const decided = [...new Map(above.map(step => [step.rate, step])).values()]
  const [lowest] = decided
    .filter(({ verdict }) => verdict.outcome !== 'pass')
    .sort((a, b) => a.rate - b.rate)
  const overload = measured.findLast(({ phase }) => phase === 'overload')
  return lowest ?? overload ?? confirm ?? measured.at(-1)
}

/** A pilot's figures are of many rates at once, and an overload is meant to break. */
function isDecisive(step: StepRecord): boolean {
  if (step.phase === 'pilot' || step.phase === 'overload') return false
  return isMeasured(step) || withoutFigures(step) !== undefined
}

function writeShareOf({ load }: MeasuredStep, workload: Workload | undefined): number {
  const all = load.endpoints.reduce((sum, { requests }) => sum + requests, 0)
  const writes = load.endpoints.filter(({ name }) => isWrite(workload, name))
  return writes.reduce((sum, { requests }) => sum + requests, 0) / Math.max(1, all)
}
