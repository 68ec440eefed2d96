import { formatAddress } from '../config/address.ts'
import type { Address } from '../config/address.ts'
import { version } from '../compose/version.ts'

export interface BannerFacts {
  readonly http: Address
  readonly mqtt?: Address | undefined
  readonly data: string
  readonly startMs: number
}

/** What a person wants to see once it runs: where things are, and a line to try. */
export function banner({ http, mqtt, data, startMs }: BannerFacts): string {
  const base = `http://${formatAddress(reachable(http))}`
  const broker =
    mqtt === undefined
      ? []
      : [`  MQTT   mqtt://${formatAddress(reachable(mqtt))}, ${base.replace('http', 'ws')}/mqtt`]
  return [
    `Weir ${version} is ready (${Math.round(startMs)} ms)`,
    '',
    `  Watch  ${base}`,
    `  Docs   ${base}/docs`,
    ...broker,
    `  Data   ${data}`,
    '',
    'Try it:',
    `  curl ${base}/api/v1/telemetry -H 'content-type: application/json' \\`,
    `    -d '{"device_id": "pump-1", "data": {"temperature": 21.5}}'`,
    `  curl '${base}/api/v1/telemetry/latest?device_id=pump-1'`,
    '',
    '',
  ].join('\n')
}

/** The unspecified address is for listening; from here the machine is reached as localhost. */
export function reachable({ host, port }: Address): Address {
  return { host: host === '0.0.0.0' || host === '::' ? 'localhost' : host, port }
}
