import { FLEET, GET_LATEST, POST_TELEMETRY } from './fleet-requests.ts'
import { PROFILE_RAMP } from './profile-ramp.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

export const MIXED: Workload = {
  id: 'mixed',
  title: 'Mixed',
  summary: 'As many devices that report as viewers that ask for the newest position.',
  ...FLEET,
  requests: [
    { ...GET_LATEST, weight: 50 },
    { ...POST_TELEMETRY, weight: 50 },
  ],
  history: { points: 10, intervalMs: 60_000 },
  executor: PROFILE_RAMP,
  slo: DEFAULT_SLO,
}
