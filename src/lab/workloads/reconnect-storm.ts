import { DEVICE, FLEET, X_COORD, Y_COORD } from './fleet-requests.ts'
import { DEFAULT_SLO, type Workload } from './workload.ts'

const ROWS_A_BATCH = 60
const BATCHES = 5
const INTERVAL_MS = 1000

export const RECONNECT_STORM: Workload = {
  id: 'reconnect-storm',
  title: 'Reconnect storm',
  summary:
    'A network that comes back: all devices connect at once and send what they measured meanwhile.',
  ...FLEET,
  requests: [
    {
      name: 'POST backlog',
      weight: 1,
      method: 'POST',
      path: ['/api/v1/telemetry/batch'],
      body: {
        is: 'object',
        fields: {
          device_id: DEVICE,
          data: {
            is: 'list',
            of: {
              is: 'object',
              fields: {
                // Long ago enough that the last batch, moved behind those before it, is past too.
                timestamp: {
                  is: 'time',
                  agoMs: 2 * BATCHES * ROWS_A_BATCH * INTERVAL_MS,
                  unique: true,
                },
                x_coord: X_COORD,
                y_coord: Y_COORD,
              },
            },
            count: ROWS_A_BATCH,
            device: 'same',
            everyMs: INTERVAL_MS,
          },
        },
      },
      expects: [200],
      points: 2 * ROWS_A_BATCH,
    },
  ],
  history: { points: 0, intervalMs: 0 },
  executor: {
    kind: 'reconnect-storm',
    withinMs: 5000,
    requestsEach: BATCHES,
    durationMs: 60_000,
  },
  // A device that was away for minutes can wait a moment; being told of an error it cannot use.
  slo: { ...DEFAULT_SLO, p99Ms: 2000, p95Ms: 1000, freshnessP99Ms: 10_000 },
}
