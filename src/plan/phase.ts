/** How far a fleet has come; what changes from one to the next is who is called when it stands still. */
export type Phase = 'pilot' | 'production' | 'scale' | 'enterprise'

interface PhaseBound {
  readonly phase: Phase
  readonly maxDevices: number
  /** At the expected peak. */
  readonly maxPointsPerSecond: number
}

/** A factor of ten each (docs/decisions/0034-capacity-plans.md). */
const PHASES: readonly PhaseBound[] = [
  { phase: 'pilot', maxDevices: 1000, maxPointsPerSecond: 1000 },
  { phase: 'production', maxDevices: 10_000, maxPointsPerSecond: 10_000 },
  { phase: 'scale', maxDevices: 100_000, maxPointsPerSecond: 100_000 },
]

/** The first that neither the devices nor their peak have outgrown. */
export function phaseOf(devices: number, peakPointsPerSecond: number): Phase {
  const found = PHASES.find(
    ({ maxDevices, maxPointsPerSecond }) =>
      devices <= maxDevices && peakPointsPerSecond <= maxPointsPerSecond,
  )
  return found?.phase ?? 'enterprise'
}
