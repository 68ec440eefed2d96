import { formatAddress } from '../config/address.ts'
import type { Address } from '../config/address.ts'
import { version } from '../compose/version.ts'

export interface BannerFacts {
  /** Absent where it listens nowhere. */
  readonly http?: Address | undefined
  readonly mqtt?: Address | undefined
  readonly data: string
  readonly startMs: number
  readonly asksForKeys: boolean
  readonly mqtts?: Address | undefined
  /** Whether HTTP is HTTPS. */
  readonly isSecure: boolean
  /** Whether HTTP has more than probes. */
  readonly isWhole: boolean
  /** Its worker processes, for people. */
  readonly workers?: string | undefined
}

/** What a person wants to see once it runs: where things are, and a line to try. */
export function banner(facts: BannerFacts): string {
  const { http, mqtt, mqtts, data, startMs, asksForKeys, isSecure, isWhole, workers } = facts
  const ready = `Weir ${version} is ready (${Math.round(startMs)} ms)`
  const runs = workers === undefined ? [] : [`  Runs   ${workers}`]
  if (http === undefined) return [ready, '', ...runs, `  Data   ${data}`, '', ''].join('\n')
  const base = `http${isSecure ? 's' : ''}://${formatAddress(reachable(http))}`
  const at = (scheme: string, address: Address | undefined): string[] =>
    address === undefined ? [] : [`${scheme}://${formatAddress(reachable(address))}`]
  const places = [...at('mqtt', mqtt), ...at('mqtts', mqtts)]
  const broker =
    places.length === 0
      ? []
      : [`  MQTT   ${[...places, `${base.replace('http', 'ws')}/mqtt`].join(', ')}`]
  const key = asksForKeys ? '-H "authorization: Bearer $KEY" ' : ''
  if (!isWhole) {
    return [ready, '', `  Probes ${base}/health`, ...runs, `  Data   ${data}`, '', ''].join('\n')
  }
  return [
    ready,
    '',
    `  Watch  ${base}`,
    `  Docs   ${base}/docs`,
    ...broker,
    ...runs,
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
