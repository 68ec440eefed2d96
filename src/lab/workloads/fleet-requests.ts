import type { Template } from './template.ts'
import type { RequestKind, Workload } from './workload.ts'

// What the profiles share: the same devices, payloads and requests for all, so that only the mix differs.

/** What every profile's devices measure. */
export const FLEET = {
  devices: 1000,
  devicePrefix: 'device-',
  metrics: {
    x_coord: { min: -100, max: 100, decimals: 3 },
    y_coord: { min: -100, max: 100, decimals: 3 },
  },
} as const satisfies Pick<Workload, 'devices' | 'devicePrefix' | 'metrics'>

export const X_COORD: Template = { is: 'number', ...FLEET.metrics.x_coord }
export const Y_COORD: Template = { is: 'number', ...FLEET.metrics.y_coord }
export const DEVICE: Template = { is: 'device' }

/** When it is sent; no two requests of a run have the same of one device. */
export const NOW: Template = { is: 'time', unique: true }

/** One message with a value for both metrics: two points. */
export const POST_TELEMETRY: Omit<RequestKind, 'weight'> = {
  name: 'POST telemetry',
  method: 'POST',
  path: ['/api/telemetry/', DEVICE],
  body: {
    is: 'object',
    fields: { x_coord: X_COORD, y_coord: Y_COORD, device_time: NOW },
  },
  expects: [201],
  points: 2,
}

export const GET_LATEST: Omit<RequestKind, 'weight'> = {
  name: 'GET latest',
  method: 'GET',
  path: ['/api/telemetry/latest/', DEVICE],
  expects: [200],
  points: 0,
}
