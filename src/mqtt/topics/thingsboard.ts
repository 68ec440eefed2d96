import type { TelemetryTarget } from '../options.ts'
import type { TopicConvention } from './convention.ts'

const target = (dialect: TelemetryTarget['dialect']): TelemetryTarget => ({
  ...{ dialect, deviceId: '', metric: '', jsonPath: undefined, site: undefined },
})

const TARGETS: ReadonlyMap<string, TelemetryTarget> = new Map([
  ['v1/devices/me/telemetry', target('thingsboard')],
  ['v1/devices/me/attributes', target('thingsboard attributes')],
  ['v1/gateway/telemetry', target('thingsboard gateway')],
  ['v1/gateway/attributes', target('thingsboard gateway attributes')],
])

/** ThingsBoard's topics for devices, whose token is the user name, and for gateways. */
export const thingsboard: TopicConvention = levels =>
  levels[0] === 'v1' && levels.length <= 4 ? TARGETS.get(levels.join('/')) : undefined

/**
 * Topics that mean something else on each connection (`me`): what is published there is for Weir,
 * and delivering it to another client would tell it about a stranger. So are those of them that
 * Weir has no use for (`v1/gateway/connect`, requests), which are acknowledged.
 */
export function isPrivateTopic(topic: string): boolean {
  return topic.startsWith('v1/devices/me/') || topic.startsWith('v1/gateway/')
}
