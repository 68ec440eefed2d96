/** What a group of worker processes is scaled by. */
export interface ScalingPolicy {
  readonly min: number
  readonly max: number
  /** Percent of one core that each process is to use. */
  readonly targetCpuPct: number
  /** After a change, how long the next one waits. */
  readonly cooldownMs: number
}

export interface ScalingState {
  readonly current: number
  /** Percent of one core, the mean over the processes. */
  readonly cpuPct: number
  readonly nowMs: number
  /** When the number changed last; -Infinity: never. */
  readonly changedMs: number
}

export interface ScalingDecision {
  readonly processes: number
  readonly why: 'on target' | 'cooling down' | 'at the bound' | 'above target' | 'below target'
}

/** No change for less: as the horizontal autoscalers of cloud services, which else never rest. */
const TOLERANCE = 0.1

/**
 * How many processes there are to be: `ceil(current × cpu / target)` within the bounds; upwards at
 * once, downwards one at a time, and nothing while the last change is recent.
 */
export function decideScale(policy: ScalingPolicy, state: ScalingState): ScalingDecision {
  const { min, max, targetCpuPct, cooldownMs } = policy
  const { current, cpuPct, nowMs, changedMs } = state
  const ratio = cpuPct / targetCpuPct
  const wanted = Math.abs(ratio - 1) <= TOLERANCE ? current : Math.ceil(current * ratio)
  const desired = Math.min(max, Math.max(min, wanted))
  if (desired === current) {
    return { processes: current, why: wanted === current ? 'on target' : 'at the bound' }
  }
  if (nowMs - changedMs < cooldownMs) return { processes: current, why: 'cooling down' }
  return desired > current
    ? { processes: desired, why: 'above target' }
    : { processes: current - 1, why: 'below target' }
}
