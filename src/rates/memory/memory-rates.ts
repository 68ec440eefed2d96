import { TokenBucket } from '../../kit/token-bucket.ts'
import type { Rates } from '../../ports/rates.ts'

/** Limits that this process counts for itself. */
export const memoryRates: Rates = {
  capabilities: { isShared: false },
  bucket: (_id, { perSecond, ...options }) => new TokenBucket(perSecond, options),
  close: () => Promise.resolve(),
}
