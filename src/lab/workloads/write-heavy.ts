import { FLEET, GET_LATEST, POST_TELEMETRY } from './fleet-requests.ts'
import { PROFILE_RAMP } from './profile-ramp.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

export const WRITE_HEAVY: Workload = {
  id: 'write-heavy',
  title: 'Write-heavy',
  summary:
    'A fleet that reports its positions, one message a request, with hardly anybody looking.',
  ...FLEET,
  requests: [
    { ...GET_LATEST, weight: 5 },
    { ...POST_TELEMETRY, weight: 95 },
  ],
  history: { points: 10, intervalMs: 60_000 },
  executor: PROFILE_RAMP,
  slo: DEFAULT_SLO,
}
