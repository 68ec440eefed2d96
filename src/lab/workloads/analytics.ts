import { DEVICE, FLEET, POST_TELEMETRY } from './fleet-requests.ts'
import { PROFILE_RAMP } from './profile-ramp.ts'
import type { Template } from './template.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

const HOUR_AGO: Template = { is: 'time', agoMs: 3_600_000 }

export const ANALYTICS: Workload = {
  id: 'analytics',
  title: 'Analytics',
  summary:
    'Charts over the last two hours, of one device and of ten at once, while the fleet reports.',
  ...FLEET,
  requests: [
    { ...POST_TELEMETRY, weight: 50 },
    {
      name: 'GET aggregates',
      weight: 25,
      method: 'GET',
      path: ['/api/v1/telemetry/', DEVICE, '?metric=x_coord&interval=5m&agg=avg,max'],
      expects: [200],
      points: 0,
    },
    {
      name: 'GET range',
      weight: 15,
      method: 'GET',
      path: ['/api/v1/telemetry/', DEVICE, '?metric=x_coord&metric=y_coord&start=', HOUR_AGO],
      expects: [200],
      points: 0,
    },
    {
      name: 'POST query',
      weight: 10,
      method: 'POST',
      path: ['/api/v1/query'],
      body: {
        is: 'object',
        fields: {
          devices: { is: 'list', of: DEVICE, count: 10, device: 'each' },
          metrics: {
            is: 'list',
            of: { is: 'pick', of: ['x_coord', 'y_coord'] },
            count: 1,
          },
          start: HOUR_AGO,
          interval: { is: 'constant', value: '5m' },
          aggregates: {
            is: 'list',
            of: { is: 'pick', of: ['avg', 'max', 'p95'] },
            count: 1,
          },
        },
      },
      expects: [200],
      points: 0,
    },
  ],
  // Two hours, a point a minute.
  history: { points: 120, intervalMs: 60_000 },
  executor: PROFILE_RAMP,
  slo: DEFAULT_SLO,
}
