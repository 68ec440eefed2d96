import { createHash } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import { nodeSecret } from './node-secret.ts'

/**
 * The name of the log for a store that keeps its positions: a log in a data folder is another one than that of any
 * other node, however the folders are called. Logs that processes share have the same name for all of them.
 */
export function logIdentity({ data, log, kafka, nats }: Config): string {
  // One that is begun anew, because its servers have lost entries, has another name.
  if (log.engine === 'kafka') return `kafka ${kafka.topic}`
  if (log.engine === 'nats') return `nats ${nats.prefix}`
  if (log.engine !== 'embedded') return log.engine
  const hash = createHash('sha256').update('weir log').update(nodeSecret(data))
  return `embedded ${hash.digest('hex').slice(0, 16)}`
}
