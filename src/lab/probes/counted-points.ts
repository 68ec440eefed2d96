import { deviceName } from '../system/history.ts'
import type { HttpClient } from '../system/http-client.ts'
import type { Workload } from '../workloads/workload.ts'

/** A bucket from 1970 on that none of the lab's points is outside of. */
const ALL_TIME = '36500d'
const DEVICES_AT_ONCE = 200
const TIMEOUT_MS = 60_000

interface Answer {
  readonly series: readonly { readonly count: readonly (number | null)[] }[]
}

/**
 * Distinct points of the workload's devices and some others, as queries count them.
 *
 * @throws Error where a query fails.
 */
export async function countPoints(
  client: HttpClient,
  workload: Workload,
  others: readonly string[],
): Promise<number> {
  const { devices } = workload
  const names = [...Array.from({ length: devices }, (_, i) => deviceName(workload, i)), ...others]
  let points = 0
  for (let from = 0; from < names.length; from += DEVICES_AT_ONCE) {
    const asked = names.slice(from, from + DEVICES_AT_ONCE)
    const body = { devices: asked, interval: ALL_TIME, aggregates: ['count'] }
    const request = { body, timeoutMs: TIMEOUT_MS }
    const { status, text } = await client.send('POST', '/api/v1/query', request)
    if (status !== 200) throw new Error(`counting was answered ${status}: ${text.slice(0, 300)}`)
    for (const { count } of (JSON.parse(text) as Answer).series) {
      points += count.reduce<number>((sum, one) => sum + (one ?? 0), 0)
    }
  }
  return points
}
