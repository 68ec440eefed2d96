import { FLEET, GET_LATEST, POST_TELEMETRY } from './fleet-requests.ts'
import { PROFILE_RAMP } from './profile-ramp.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

export const READ_HEAVY: Workload = {
  id: 'read-heavy',
  title: 'Read-heavy',
  summary: 'Dashboards that ask for the newest position of one device, while a few devices report.',
  ...FLEET,
  requests: [
    { ...GET_LATEST, weight: 95 },
    { ...POST_TELEMETRY, weight: 5 },
  ],
  history: { points: 10, intervalMs: 60_000 },
  executor: PROFILE_RAMP,
  slo: DEFAULT_SLO,
}
