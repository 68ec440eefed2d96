import { isLoopback, parseAddress } from './address.ts'
import { bridgeProblems } from './bridge-rules.ts'
import type { Problem } from './problem.ts'
import type { Config } from './schema.ts'

/** What no single value can say: how options must fit together. */
export function ruleProblems(config: Config, sources: ReadonlyMap<string, string>): Problem[] {
  const problems: Problem[] = []
  const report = (path: string, message: string, hint: string): void => {
    const source = sources.get(path.replace(/\[.*/, ''))
    problems.push({ path, message, hint, ...(source === undefined ? {} : { source }) })
  }

  if (config.auth.mode === 'keys') {
    report(
      'auth.mode',
      'keys are not available in this version',
      'Use auth.mode open, on loopback.',
    )
  }
  const doors: [string, string][] = [['http.address', config.http.address]]
  if (config.mqtt.enabled) doors.push(['mqtt.address', config.mqtt.address])
  for (const [path, address] of doors) {
    const host = parseAddress(address)?.host
    if (config.insecure || config.auth.mode !== 'open' || host === undefined) continue
    if (isLoopback(host)) continue
    report(
      path,
      `${address} can be reached from other machines, and no key is asked for`,
      'Listen on 127.0.0.1 behind a proxy that authenticates, or say --insecure to allow it.',
    )
  }

  bridgeProblems(config, report)

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
