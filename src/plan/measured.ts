import type { Demand } from '../model/demand.ts'
import type { Calibration, Cost, SolutionFigures } from './calibration.ts'
import { networkBits, STORED_BYTES_A_POINT, type Resources } from './classic.ts'
import { grouped } from './quantity.ts'
import { ratesOf, type Rates } from './rates.ts'

/**
 * How much a figure is worth: `measured` is within what the lab confirmed, `extrapolated` up to
 * twice that, `uncertain` up to ten times, and beyond it is a `guess`.
 */
export type Confidence = 'measured' | 'extrapolated' | 'uncertain' | 'guess'

const WARNING_FACTOR = 2
const GUESS_FACTOR = 10

/** What one solution of the lab would need for the demand, at twice its peak. */
export interface MeasuredPlan {
  readonly solution: string
  readonly topology: string
  readonly flags: readonly string[]
  /** Whether it held what is planned for on the machine of the lab. */
  readonly holds: boolean
  /** What is planned for ÷ the most that was measured, in the demand's own mix. */
  readonly extrapolation: number
  readonly confidence: Confidence
  /** What it holds there of the demand's mix. */
  readonly maxRates: Rates
  readonly resources: Resources
  /** CPU seconds a second, by role; `resources.cores` is their sum, rounded up. */
  readonly coresByRole: Readonly<Record<string, number>>
  readonly bytesPerPoint: number
  readonly cpuSecondsPerPoint: number
  readonly cpuSecondsPerQuery: number
  readonly warnings: readonly string[]
}

/** Doors and store each have a thread of their own; with less they wait for each other. */
const LEAST_CORES = 2
const LEAST_MEMORY_GB = 2
const GB = 1e9
/** Confirmed rates differ from block to block by less. */
const LARGE_FIT_ERROR = 0.25
/** With fewer, the bytes a point are those of the files that are there anyway. */
const FEW_POINTS = 1_000_000

export function confidenceOf(extrapolation: number): Confidence {
  if (extrapolation <= 1) return 'measured'
  if (extrapolation <= WARNING_FACTOR) return 'extrapolated'
  return extrapolation <= GUESS_FACTOR ? 'uncertain' : 'guess'
}

/** Of every solution, in the order of the calibration. */
export function measuredPlans(demand: Demand, calibration: Calibration): MeasuredPlan[] {
  return calibration.solutions.map(figures => measuredPlan(demand, figures))
}

function measuredPlan(demand: Demand, figures: SolutionFigures): MeasuredPlan {
  const { design, pointsPerDay } = ratesOf(demand)
  const { solution, topology, flags, pointsPerWrite } = figures
  const load = loadOf(design, pointsPerWrite)
  const extrapolation = load(figures.share)
  const costs = Object.entries(figures.cpuSeconds)
  const coresByRole = Object.fromEntries(costs.map(([role, cost]) => [role, load(cost)]))
  const cpu = total(costs.map(([, cost]) => cost))
  const bytesPerPoint = figures.disk?.bytesPerPoint ?? STORED_BYTES_A_POINT
  const storedBytesPerDay = pointsPerDay * bytesPerPoint
  return {
    ...{ solution, topology, flags, extrapolation },
    holds: extrapolation <= 1,
    confidence: confidenceOf(extrapolation),
    maxRates: {
      messagesPerSecond: design.messagesPerSecond / extrapolation,
      pointsPerSecond: design.pointsPerSecond / extrapolation,
      queriesPerSecond: design.queriesPerSecond / extrapolation,
    },
    resources: {
      cores: Math.max(LEAST_CORES, Math.ceil(load(cpu))),
      memoryBytes: memoryBytes(demand, figures, extrapolation),
      diskBytes: storedBytesPerDay * demand.retentionDays * demand.replicas,
      networkBitsPerSecond: networkBits(demand, design),
      storedBytesPerDay,
    },
    ...{ coresByRole, bytesPerPoint },
    cpuSecondsPerPoint: cpu.perWrite / pointsPerWrite,
    cpuSecondsPerQuery: cpu.perQuery,
    warnings: warningsOf(demand, figures, extrapolation),
  }
}

/**
 * A message costs at most what one of the lab does where it has fewer points, and at most in
 * proportion where it has more: what a plan says is too much rather than too little.
 */
function loadOf(rates: Rates, pointsPerWrite: number): (cost: Cost) => number {
  const writes = Math.max(rates.messagesPerSecond, rates.pointsPerSecond / pointsPerWrite)
  return ({ perWrite, perQuery }) => perWrite * writes + perQuery * rates.queriesPerSecond
}

/**
 * Grows in proportion beyond the rate and the devices of the lab, which is too much: what a process
 * needs to be there at all does not grow.
 */
function memoryBytes(demand: Demand, figures: SolutionFigures, extrapolation: number): number {
  const factor = Math.max(1, extrapolation, deviceFactor(demand, figures))
  return Math.max(LEAST_MEMORY_GB, Math.ceil((figures.memoryBytes * factor) / GB)) * GB
}

const deviceFactor = (demand: Demand, { devices }: SolutionFigures): number =>
  devices === undefined ? 1 : demand.devices / devices

function total(costs: readonly Cost[]): Cost {
  let [perWrite, perQuery] = [0, 0]
  for (const cost of costs) {
    perWrite += cost.perWrite
    perQuery += cost.perQuery
  }
  return { perWrite, perQuery }
}

function warningsOf(demand: Demand, figures: SolutionFigures, extrapolation: number): string[] {
  const { isSeparated, devices, disk } = figures
  const warnings: string[] = []
  const warn = (holds: boolean, text: string): void => {
    if (holds) warnings.push(text)
  }
  const confidence = confidenceOf(extrapolation)
  const beyond = `what is planned for is ${grouped(extrapolation)} times the most that was measured`
  warn(confidence === 'uncertain', `${beyond}: measure nearer to it before buying`)
  warn(confidence === 'guess', `${beyond}: this is a guess`)
  const more = deviceFactor(demand, figures)
  const fleet = `measured with ${grouped(devices ?? 0)} devices, ${grouped(more)} times fewer`
  warn(more > WARNING_FACTOR && more <= GUESS_FACTOR, `${fleet}: memory is uncertain`)
  warn(more > GUESS_FACTOR, `${fleet}: memory is a guess`)
  warn(devices === undefined, 'the results do not say how many devices there were')
  warn(
    !isSeparated,
    'the profiles that were measured do not tell writes from queries: either is taken to cost the same',
  )
  warn(
    figures.fitError > LARGE_FIT_ERROR,
    `the profiles that were measured differ by up to ${grouped(figures.fitError * 100)} % from what costs of writes and queries explain`,
  )
  warn(disk === undefined, 'disk was not measured: 50 bytes a point, as in the classic formula')
  warn(
    disk !== undefined && disk.points < FEW_POINTS,
    `bytes a point come of only ${grouped(disk?.points ?? 0)} points: files that are there anyway weigh in them`,
  )
  return warnings
}
