import { DEVICE, NOW } from './fleet-requests.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

const TEMPERATURE = { min: 15, max: 35, decimals: 2 }

export const STEADY_STATE: Workload = {
  id: 'steady-state',
  title: 'Steady state',
  summary:
    'Users of a running platform who submit, query and look at analytics as 10 : 5 : 1, and wait in between.',
  devices: 1000,
  devicePrefix: 'device-',
  metrics: { temperature: TEMPERATURE },
  requests: [
    {
      name: 'POST ingest',
      weight: 10,
      method: 'POST',
      path: ['/ingest'],
      body: {
        is: 'object',
        fields: {
          device_id: DEVICE,
          metric: { is: 'constant', value: 'temperature' },
          value: { is: 'number', ...TEMPERATURE },
          timestamp: NOW,
        },
      },
      expects: [200],
      points: 1,
    },
    {
      name: 'GET readings latest',
      weight: 5,
      method: 'GET',
      path: ['/readings/latest?device_id=', DEVICE],
      expects: [200],
      points: 0,
    },
    {
      name: 'GET analytics',
      weight: 1,
      method: 'GET',
      path: ['/analytics'],
      expects: [200],
      points: 0,
    },
  ],
  history: { points: 10, intervalMs: 60_000 },
  executor: { kind: 'closed', users: 1000, thinkMs: [1000, 3000], durationMs: 60_000 },
  slo: DEFAULT_SLO,
}
