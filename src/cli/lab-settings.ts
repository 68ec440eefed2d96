import { FULL_PHASES, QUICK_PHASES } from '../lab/run/phases.ts'
import type { Phases, RunRecord } from '../lab/run/record.ts'
import type { RunSettings } from '../lab/run/settings.ts'
import { CONTROL, defaultSolutions, solutionsNamed } from '../lab/run/solutions.ts'
import { DEFAULT_SLO, type Slo } from '../lab/workloads/workload.ts'
import { PROFILES } from '../lab/workloads/workloads.ts'
import { defined, LabFlags, LabUsageError } from './lab-flags.ts'

/** Flags of the phases and of the SLO, for `parseArgs`; `lab run` and `lab ramp` share them. */
export const SEARCH_FLAGS = {
  'start-rate': { type: 'string' },
  'max-rate': { type: 'string' },
  factor: { type: 'string' },
  'pilot-step': { type: 'string' },
  'warm-up': { type: 'string' },
  measure: { type: 'string' },
  confirm: { type: 'string' },
  overload: { type: 'string' },
  precision: { type: 'string' },
  'max-voids': { type: 'string' },
  'slo-p99': { type: 'string' },
  'slo-p95': { type: 'string' },
  'slo-errors': { type: 'string' },
  'slo-freshness': { type: 'string' },
} as const

export const SEARCH_HELP = `  --start-rate R         requests a second at which the ramp begins (50; quick: 100)
  --factor F             from one stage of the ramp to the next (1.5; quick: 2)
  --pilot-step DURATION  length of a stage of the ramp (10s; quick: 2s)
  --max-rate R           the search tries no rate above (60000)
  --warm-up DURATION     before a step is measured (10s; quick: 2500ms)
  --measure DURATION     of a step of the search (30s; quick: 5s)
  --precision SHARE      how narrow the limit is searched (5%; quick: 20%)
  --confirm DURATION     the found rate has to hold for so long (120s; quick: 10s)
  --overload DURATION    at 1.5 times that rate (30s; quick: 5s)
  --max-voids N          how often a step is repeated for which the generator was too slow (2)
  --slo-p99 DURATION     of each kind of request (300ms)
  --slo-p95 DURATION     (half of it)
  --slo-errors SHARE     errors, time-outs and refusals: less than (1%)
  --slo-freshness DURATION  p99 from sending to visible in a query (2s)
`

/** The phases that are asked for, over those of `base`. */
export function phasesOf(flags: LabFlags, base: Phases): Phases {
  return {
    ...base,
    ...defined({
      startRate: flags.rate('start-rate'),
      maxRate: flags.rate('max-rate'),
      pilotFactor: flags.factor('factor'),
      pilotStepMs: flags.durationMs('pilot-step'),
      warmUpMs: flags.durationMs('warm-up'),
      measureMs: flags.durationMs('measure'),
      confirmMs: flags.durationMs('confirm'),
      overloadMs: flags.durationMs('overload'),
      precision: flags.share('precision'),
      maxVoids: flags.whole('max-voids', 0),
    }),
  }
}

export function sloOf(flags: LabFlags, base: Slo): Slo {
  const p99Ms = flags.durationMs('slo-p99')
  return {
    ...base,
    ...defined({
      p99Ms,
      p95Ms: flags.durationMs('slo-p95') ?? (p99Ms === undefined ? undefined : p99Ms / 2),
      maxErrorShare: flags.share('slo-errors'),
      freshnessP99Ms: flags.durationMs('slo-freshness'),
    }),
  }
}

/** A quick look leaves the analytics out, so that it takes less than half an hour. */
const QUICK_PROFILES = PROFILES.filter(profile => profile !== 'analytics')
const FULL_BLOCKS = 3

export interface SettingsContext {
  readonly quick: boolean | undefined
  readonly control: boolean | undefined
  /** Of a run that is continued: what no flag says is as it was. */
  readonly before?: RunRecord | undefined
  readonly workloads: readonly string[]
}

/** @throws LabUsageError */
export function settingsOf(flags: LabFlags, context: SettingsContext): RunSettings {
  const { before, workloads } = context
  const isQuick = context.quick ?? before?.isQuick ?? false
  const named = flags.list('profiles') ?? before?.profiles ?? (isQuick ? QUICK_PROFILES : PROFILES)
  const profiles = named.length === 1 && named[0] === 'all' ? PROFILES : named
  const unknown = profiles.filter(profile => !workloads.includes(profile))
  if (unknown.length > 0) {
    const there = workloads.join(', ')
    throw new LabUsageError(`no such profile: ${unknown.join(', ')} (there are ${there})`)
  }
  return {
    ...{ isQuick, profiles },
    seed: flags.whole('seed', 0) ?? before?.seed ?? 1,
    blocks: flags.whole('blocks') ?? before?.blocks ?? (isQuick ? 1 : FULL_BLOCKS),
    solutions: solutionsOf(flags, { ...context, isQuick }),
    slo: sloOf(flags, before?.slo ?? DEFAULT_SLO),
    phases: phasesOf(flags, before?.phases ?? (isQuick ? QUICK_PHASES : FULL_PHASES)),
  }
}

function solutionsOf(
  flags: LabFlags,
  { before, isQuick, control }: SettingsContext & { isQuick: boolean },
): RunSettings['solutions'] {
  const names = flags.list('topologies')
  if (names === undefined && before !== undefined && control === undefined) return before.solutions
  let named: RunSettings['solutions']
  try {
    named = solutionsNamed(names ?? defaultSolutions(isQuick))
  } catch (error) {
    throw new LabUsageError((error as Error).message, { cause: error })
  }
  const others = named.filter(({ id }) => id !== CONTROL.id)
  // Without the baseline there is nothing that it would control.
  const hasBaseline = others.some(({ id }) => id === 'baseline')
  const wanted = control ?? (others.length < named.length || (!isQuick && hasBaseline))
  return wanted ? [...others, CONTROL] : others
}
