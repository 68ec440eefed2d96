import type { TopicConvention } from './convention.ts'

/** `devices/{device_id}/telemetry`: `{metric: value, …, timestamp?}`. */
export const deviceTelemetry: TopicConvention = levels =>
  levels.length === 3 && levels[0] === 'devices' && levels[2] === 'telemetry'
    ? record(levels[1])
    : undefined

/** `devices/{device_id}/{metric}`: a bare value. */
export const deviceMetric: TopicConvention = levels =>
  levels.length === 3 && levels[0] === 'devices'
    ? {
        dialect: 'value',
        deviceId: levels[1],
        metric: levels[2],
        jsonPath: undefined,
        site: undefined,
      }
    : undefined

const record = (deviceId: string) =>
  ({ dialect: 'record', deviceId, metric: '', jsonPath: undefined, site: undefined }) as const
