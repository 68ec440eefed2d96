import type {
  Calibration,
  CalibrationSource,
  ConfirmedRate,
  Cost,
  SolutionFigures,
} from '../../plan/calibration.ts'
import type { LoadResult } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import type { CellKey, CellRecord, LabRecord, RunRecord, StepRecord } from '../run/record.ts'
import type { Workload } from '../workloads/workload.ts'
import { isWrite } from './request-kind.ts'
import { fitCosts } from './two-costs.ts'

/** A confirmed step of a solution, with everything that a plan needs of it. */
interface Confirmation {
  readonly rate: ConfirmedRate
  readonly load: LoadResult
  readonly probes: ProbeFigures
  readonly workload: Workload | undefined
}

/**
 * What a capacity plan needs of a lab result: for each solution, what requests cost and how many it
 * held. Only confirmed rates count. Undefined: there is nothing to plan with in these records.
 */
export function calibrationOf(records: Iterable<LabRecord>): Calibration | undefined {
  let run: RunRecord | undefined
  // A void cell is run once more, and the last of its records counts.
  const ended = new Map<string, { readonly end: CellRecord; readonly step?: StepRecord }>()
  const confirmed = new Map<string, StepRecord>()
  for (const record of records) {
    if (record.kind === 'run') run ??= record
    else if (record.kind === 'cell') {
      const id = cellId(record.cell)
      const step = confirmed.get(id)
      ended.set(id, step === undefined ? { end: record } : { end: record, step })
      confirmed.delete(id)
    } else if (record.phase === 'confirm' && record.verdict.outcome === 'pass') {
      confirmed.set(cellId(record.cell), record)
    }
  }
  if (run === undefined) return undefined
  const warnings: string[] = run.isQuick
    ? ['calibrated by a quick run: its phases were short, so that its rates are a first look']
    : []
  const solutions: SolutionFigures[] = []
  for (const { id, topology, flags } of run.solutions) {
    // The A/A control is the same solution once more: its blocks are further blocks of it.
    if (id.endsWith('-again')) continue
    const names = [id, `${id}-again`]
    const cells = [...ended.values()].filter(({ end }) => names.includes(end.cell.solution))
    const of = run
    const confirmations = cells.flatMap(({ end, step }) =>
      end.problem === undefined && end.maxRate > 0 ? confirmationOf(of, step) : [],
    )
    const usable = plainQueries(confirmations)
    if (usable.length === 0) warnings.push(`nothing was confirmed of ${id}`)
    else solutions.push({ solution: id, topology, flags, ...figuresOf(usable) })
  }
  if (solutions.length === 0) return undefined
  return { formatVersion: 1, source: sourceOf(run), solutions, warnings }
}

/**
 * A plan knows one kind of query, that of the newest values, and one over a long time costs many
 * times as much: the profile with these counts only where there is no other.
 */
function plainQueries(confirmations: readonly Confirmation[]): readonly Confirmation[] {
  const plain = confirmations.filter(({ rate }) => rate.profile !== 'analytics')
  return plain.length > 0 ? plain : confirmations
}

const cellId = ({ block, solution, profile }: CellKey): string =>
  JSON.stringify([block, solution, profile])

function sourceOf(run: RunRecord): CalibrationSource {
  const { cpu, cores, memoryBytes, kernel, node, commit } = run.machine
  const { id, startedAt, command, isQuick, blocks } = run
  return {
    ...{ run: id, startedAt, command, isQuick, blocks },
    ...{ commit, cpu, cores, memoryBytes, kernel, node },
  }
}

function confirmationOf(run: RunRecord, step: StepRecord | undefined): Confirmation[] {
  const { load, probes } = step ?? {}
  if (step === undefined || load === undefined || probes === undefined) return []
  const { block, profile } = step.cell
  const workload = run.workloads?.find(({ id }) => id === profile)
  const seconds = load.measuredMs / 1000
  let [writes, queries, points] = [0, 0, 0]
  for (const { name, successes } of load.endpoints) {
    const kind = workload?.requests.find(request => request.name === name)
    if (isWrite(workload, name)) writes += successes
    else queries += successes
    points += successes * (kind?.points ?? 0)
  }
  if (workload === undefined) {
    // The rate is the same in the warm-up, and what was acknowledged is counted over both.
    points = (load.acknowledgedPoints * seconds) / ((run.phases.warmUpMs + load.measuredMs) / 1000)
  }
  const rate: ConfirmedRate = {
    ...{ profile, block },
    requestsPerSecond: load.achievedRate,
    writesPerSecond: writes / seconds,
    pointsPerSecond: points / seconds,
    queriesPerSecond: queries / seconds,
    p99Ms: load.latency.p99Ms,
  }
  return writes + queries > 0 ? [{ rate, load, probes, workload }] : []
}

type Figures = Omit<SolutionFigures, 'solution' | 'topology' | 'flags'>

function figuresOf(confirmations: readonly Confirmation[]): Figures {
  const rates = confirmations.map(({ rate }) => rate)
  const writes = sum(rates.map(({ writesPerSecond }) => writesPerSecond))
  const points = sum(rates.map(({ pointsPerSecond }) => pointsPerSecond))
  const { isSeparated, error: fitError, ...share } = costOf(confirmations, () => 1)
  const roles = new Set(confirmations.flatMap(({ probes }) => probes.roles.map(({ role }) => role)))
  const cpuSeconds: Record<string, Cost> = {}
  for (const role of roles) {
    const { perWrite, perQuery } = costOf(confirmations, ({ load, probes }) => {
      const figures = probes.roles.find(one => one.role === role)
      return (figures?.cpuSeconds ?? 0) / (load.measuredMs / 1000)
    })
    cpuSeconds[role] = { perWrite, perQuery }
  }
  const devices = Math.min(...confirmations.map(({ workload }) => workload?.devices ?? Infinity))
  const disk = diskOf(confirmations)
  return {
    confirmed: rates,
    pointsPerWrite: writes > 0 && points > writes ? points / writes : 1,
    ...{ share, cpuSeconds, isSeparated, fitError },
    memoryBytes: Math.max(...confirmations.map(({ probes }) => memoryOf(probes))),
    ...(Number.isFinite(devices) ? { devices } : {}),
    ...(disk === undefined ? {} : { disk }),
  }
}

function costOf(confirmations: readonly Confirmation[], of: (one: Confirmation) => number) {
  const samples = confirmations.map(one => ({
    writes: one.rate.writesPerSecond,
    queries: one.rate.queriesPerSecond,
    cost: of(one),
  }))
  const positive = samples.filter(({ cost }) => cost > 0)
  // A role that used no time that could be seen.
  if (positive.length === 0) return { perWrite: 0, perQuery: 0, isSeparated: true, error: 0 }
  return fitCosts(positive)
}

const memoryOf = ({ roles }: ProbeFigures): number =>
  sum(roles.map(({ memoryMaxBytes }) => memoryMaxBytes))

function diskOf(confirmations: readonly Confirmation[]): SolutionFigures['disk'] {
  const seen = confirmations.map(({ probes, workload }) => {
    const { devices = 0, metrics = {}, history } = workload ?? {}
    const before = devices * Object.keys(metrics).length * (history?.points ?? 0)
    const points = before + probes.ledger.stored
    return { bytesPerPoint: probes.diskBytes / points, points }
  })
  const usable = seen.filter(({ bytesPerPoint }) => bytesPerPoint > 0 && bytesPerPoint < Infinity)
  return usable.toSorted((a, b) => b.points - a.points).at(0)
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
