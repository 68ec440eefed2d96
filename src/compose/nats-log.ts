import type { Config } from '../config/schema.ts'
import type { Log } from '../ports/log.ts'

/** The log on NATS as it is configured; the library is loaded here and not before. */
export async function openNatsLog(
  { nats, log }: Config,
  onWarning: (message: string) => void = () => {},
): Promise<Log> {
  const { NatsLog } = await import('../log/nats/nats-log.ts')
  const { sessionTimeoutMs: leaseMs, ...rest } = nats
  return NatsLog.open({ ...rest, leaseMs, maxBytes: log.maxBytes, onWarning })
}
