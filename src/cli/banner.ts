import { formatAddress } from '../config/address.ts'
import type { Address } from '../config/address.ts'
import { version } from '../compose/version.ts'

export interface BannerFacts {
  readonly http: Address
  readonly mqtt?: Address | undefined
  readonly data: string
  readonly startMs: number
  readonly asksForKeys: boolean
  readonly mqtts?: Address | undefined
  /** Whether HTTP is HTTPS. */
  readonly isSecure: boolean
}

/** What a person wants to see once it runs: where things are, and a line to try. */
export function banner(facts: BannerFacts): string {
  const { http, mqtt, mqtts, data, startMs, asksForKeys, isSecure } = facts
  const base = `http${isSecure ? 's' : ''}://${formatAddress(reachable(http))}`
  const at = (scheme: string, address: Address | undefined): string[] =>
    address === undefined ? [] : [`${scheme}://${formatAddress(reachable(address))}`]
  const places = [...at('mqtt', mqtt), ...at('mqtts', mqtts)]
  const broker =
    places.length === 0
      ? []
      : [`  MQTT   ${[...places, `${base.replace('http', 'ws')}/mqtt`].join(', ')}`]
  const key = asksForKeys ? '-H "authorization: Bearer $KEY" ' : ''
  return [
    `Weir ${version} is ready (${Math.round(startMs)} ms)`,
    '',
    `  Watch  ${base}`,
    `  Docs   ${base}/docs`,
    ...broker,
    `  Data   ${data}`,
    '',
    'Try it:',
    ...(asksForKeys ? [`  KEY=$(weir keys create --data ${data} --scopes ingest,read)`] : []),
    `  curl ${base}/api/v1/telemetry ${key}-H 'content-type: application/json' \\`,
    `    -d '{"device_id": "pump-1", "data": {"temperature": 21.5}}'`,
    `  curl ${key}'${base}/api/v1/telemetry/latest?device_id=pump-1'`,
    '',
    '',
  ].join('\n')
}

/** The unspecified address is for listening; from here the machine is reached as localhost. */
export function reachable({ host, port }: Address): Address {
  return { host: host === '0.0.0.0' || host === '::' ? 'localhost' : host, port }
}
