import { isLoopback, parseAddress } from './address.ts'
import { bridgeProblems } from './bridge-rules.ts'
import { engineProblems } from './engine-rules.ts'
import { kafkaProblems } from './kafka-rules.ts'
import type { Problem } from './problem.ts'
import { roleProblems } from './role-rules.ts'
import type { Config } from './schema.ts'

/** What no single value can say: how options must fit together. */
export function ruleProblems(config: Config, sources: ReadonlyMap<string, string>): Problem[] {
  const problems: Problem[] = []
  const report = (path: string, message: string, hint: string): void => {
    const source = sources.get(path.replace(/\[.*/, ''))
    problems.push({ path, message, hint, ...(source === undefined ? {} : { source }) })
  }

  const doors: [string, string][] = [['http.address', config.http.address]]
  const { mqtt } = config
  if (mqtt.enabled && mqtt.plain) doors.push(['mqtt.address', mqtt.address])
  if (mqtt.enabled && mqtt.tls.certFile !== '') doors.push(['mqtt.tls.address', mqtt.tls.address])
  if (mqtt.enabled && !mqtt.plain && mqtt.tls.certFile === '') {
    report('mqtt.plain', 'leaves MQTT nowhere to listen', 'Give mqtt.tls, or mqtt.enabled: false.')
  }
  for (const [path, tls] of [
    ['http.tls', config.http.tls],
    ['mqtt.tls', mqtt.tls],
  ] as const) {
    if ((tls.certFile === '') !== (tls.keyFile === '')) {
      report(`${path}.keyFile`, 'has a certificate or a key without the other', 'Give both.')
    }
    if (tls.requestCert && tls.caFile === '') {
      report(`${path}.requestCert`, 'needs the authorities of clients', `Give ${path}.caFile.`)
    }
  }
  for (const [path, address] of doors) {
    const host = parseAddress(address)?.host
    if (config.insecure || config.auth.mode !== 'open' || host === undefined) continue
    if (isLoopback(host)) continue
    report(
      path,
      `${address} can be reached from other machines, and no key is asked for`,
      'Ask for keys (auth.mode: keys, `weir keys create`), listen on 127.0.0.1, or say --insecure.',
    )
  }

  bridgeProblems(config, report)
  engineProblems(config, report)
  roleProblems(config, report)
  kafkaProblems(config, report)

  const { query, ingest } = config
  if (query.defaultLimit > query.maxLimit) {
    report(
      'query.defaultLimit',
      `is above query.maxLimit (${query.maxLimit})`,
      'Raise query.maxLimit.',
    )
  }
  if (ingest.maxDecompressedBytes < ingest.maxBodyBytes) {
    report(
      'ingest.maxDecompressedBytes',
      `is below ingest.maxBodyBytes (${ingest.maxBodyBytes})`,
      'A gzip body may be at least as large unpacked as it is packed.',
    )
  }
  const { analytics } = config
  if (analytics.warmup > analytics.window) {
    report(
      'analytics.warmup',
      `is above analytics.window (${analytics.window})`,
      'A window holds no more values than its size.',
    )
  }
  return problems
}
