import type { Demand } from '../model/demand.ts'
import type { Calibration, CalibrationSource } from './calibration.ts'
import { classicPlan, type Resources } from './classic.ts'
import { measuredPlans, type MeasuredPlan } from './measured.ts'
import { phaseOf, type Phase } from './phase.ts'
import { quantity } from './quantity.ts'
import { ratesOf, type DemandRates } from './rates.ts'
import { classicTopology, measuredChoice, type TopologyChoice } from './topology-choice.ts'

export interface CapacityPlan {
  readonly demand: Demand
  readonly rates: DemandRates
  readonly phase: Phase
  /** The rule of thumb as the field has it, at the mean rate, and at what is planned for. */
  readonly classic: { readonly atMean: Resources; readonly atDesign: Resources } & TopologyChoice
  /** Absent: there is no calibration, or nothing in it that can be chosen. */
  readonly measured?: { readonly chosen: MeasuredPlan; readonly reason: string }
  /** Every solution of the calibration. */
  readonly candidates: readonly MeasuredPlan[]
  readonly source?: CalibrationSource
  /** What this plan says in the end: measured where it can be, classic where not. */
  readonly topology: string
  readonly resources: Resources
  readonly advice: string
  /** What is uncertain, in sentences. */
  readonly warnings: readonly string[]
}

/** Pure: what a fleet needs at twice its expected peak, by rule of thumb and as measured. */
export function planCapacity(demand: Demand, calibration?: Calibration): CapacityPlan {
  const rates = ratesOf(demand)
  const phase = phaseOf(demand.devices, rates.peak.pointsPerSecond)
  const classic = {
    atMean: classicPlan(demand, rates.mean),
    atDesign: classicPlan(demand, rates.design),
    ...classicTopology(demand, phase),
  }
  const candidates = calibration === undefined ? [] : measuredPlans(demand, calibration)
  const choice = measuredChoice(demand, candidates)
  const topology = choice?.plan.topology ?? classic.topology
  const resources = choice?.plan.resources ?? classic.atDesign
  const common = { demand, rates, phase, classic, candidates, topology, resources }
  const warnings = [
    ...(calibration === undefined
      ? ['not measured: a rule of thumb, which knows neither your machine nor your payload']
      : calibration.warnings),
    ...(choice?.plan.warnings ?? []),
    ...(calibration !== undefined && choice === undefined
      ? ['the calibration has nothing that fits: the rule of thumb stands']
      : []),
    ...queryWarnings(demand, choice !== undefined),
  ]
  const composition = [topology, ...(choice?.plan.flags ?? [])].join(' ')
  const advice = adviceOf({ composition, resources, phase }, choice?.reason ?? classic.reason)
  if (calibration === undefined) return { ...common, advice, warnings }
  const { source } = calibration
  if (choice === undefined) return { ...common, advice, warnings, source }
  const measured = { chosen: choice.plan, reason: choice.reason }
  return { ...common, advice, warnings, source, measured }
}

function queryWarnings({ queriesPerSecond }: Demand, isMeasured: boolean): string[] {
  if (queriesPerSecond === 0) return []
  const network = 'network is what comes in; answers to queries come on top'
  return isMeasured ? [network] : [network, 'the rule of thumb counts no queries']
}

interface Advised {
  /** Topology and flags. */
  readonly composition: string
  readonly resources: Resources
  readonly phase: Phase
}

function adviceOf({ composition, resources, phase }: Advised, reason: string): string {
  const { cores, memoryBytes, diskBytes } = resources
  const size = `${cores} cores, ${quantity(memoryBytes, 'B')} of memory and ${quantity(diskBytes, 'B')} of disk`
  return `In the ${phase} phase run ${composition} on ${size}: ${reason}.`
}
