import { DEFAULT_SLO, type Workload } from './workload.ts'

const METRICS = ['temperature', 'humidity', 'pressure', 'vibration'] as const
const RANGE = { min: 20, max: 30, decimals: 2 }

/**
 * The load of the streaming platform API's benchmark service: its producer's `POST /ingest`, one
 * reading a request.
 */
export const INGEST_MESSAGE: Workload = {
  id: 'ingest-message',
  title: 'Single readings',
  summary: 'Devices that send one reading a request to POST /ingest.',
  devices: 100,
  devicePrefix: 'device',
  metrics: Object.fromEntries(METRICS.map(name => [name, RANGE])),
  requests: [
    {
      name: 'POST ingest',
      weight: 1,
      method: 'POST',
      path: ['/ingest'],
      body: {
        is: 'object',
        fields: {
          device_id: { is: 'device' },
          metric: { is: 'pick', of: METRICS },
          value: { is: 'number', ...RANGE },
          timestamp: { is: 'time', unique: true },
        },
      },
      expects: [200],
      points: 1,
    },
  ],
  history: { points: 0, intervalMs: 1000 },
  executor: {
    kind: 'constant-arrival-rate',
    arrivals: 'constant',
    rate: 100,
    durationMs: 60_000,
  },
  slo: DEFAULT_SLO,
}
