import { DEVICE, FLEET, NOW, X_COORD, Y_COORD } from './fleet-requests.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

const DEVICES_A_BATCH = 10

export const BURST: Workload = {
  id: 'burst',
  title: 'Burst',
  summary:
    'Gateways that send batches of ten devices at ten a second, a thousand a second, and ten again.',
  ...FLEET,
  requests: [
    {
      name: 'POST batch',
      weight: 1,
      method: 'POST',
      path: ['/api/v1/telemetry'],
      body: {
        is: 'list',
        of: {
          is: 'object',
          fields: {
            device_id: DEVICE,
            timestamp: NOW,
            data: { is: 'object', fields: { x_coord: X_COORD, y_coord: Y_COORD } },
          },
        },
        count: DEVICES_A_BATCH,
        device: 'each',
      },
      expects: [200],
      points: 2 * DEVICES_A_BATCH,
    },
  ],
  history: { points: 1, intervalMs: 60_000 },
  executor: {
    kind: 'burst',
    arrivals: 'poisson',
    warmUp: { rate: 10, durationMs: 20_000 },
    burst: { rate: 1000, durationMs: 20_000 },
    coolDown: { rate: 10, durationMs: 20_000 },
  },
  slo: DEFAULT_SLO,
}
