import { setTimeout as delay } from 'node:timers/promises'
import type { Template } from '../workloads/template.ts'
import type { Slo, Workload } from '../workloads/workload.ts'

const POLL_MS = 50
const LIMIT_MS = 30_000
/** One quick answer may be luck. */
const ANSWERS = 3

interface RecoveryOptions {
  readonly workload: Workload
  readonly slo: Slo
  /** Of requests to a system that asks for one. */
  readonly key?: string
  readonly signal: AbortSignal
}

/**
 * How long after an overload until reads of the workload are answered within the SLO again; undefined:
 * not within half a minute. Call it when the load has just ended.
 */
export async function recoveryMs(
  url: string,
  { workload, slo, key, signal }: RecoveryOptions,
): Promise<number | undefined> {
  const read = new Request(`${url}${readPath(workload)}`, {
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  })
  const started = performance.now()
  let goodSince = started
  let good = 0
  while (performance.now() - started < LIMIT_MS && !signal.aborted) {
    const asked = performance.now()
    if (good === 0) goodSince = asked
    good = (await isQuick(read, slo.p99Ms)) ? good + 1 : 0
    if (good === ANSWERS) return goodSince - started
    await delay(POLL_MS)
  }
  return undefined
}

async function isQuick(read: Request, withinMs: number): Promise<boolean> {
  try {
    const answer = await fetch(read, { signal: AbortSignal.timeout(withinMs) })
    await answer.arrayBuffer()
    // 404 is an answer too: a device may have no points yet. A refusal is none, however quick it is.
    return answer.ok || answer.status === 404
  } catch {
    return false
  }
}

/** The first kind of read, for the first device. */
export function readPath(workload: Workload): string {
  const read = workload.requests.find(({ method }) => method === 'GET')
  if (read === undefined) return '/ready'
  const device = `${workload.devicePrefix}${'0'.padStart(5, '0')}`
  const parts = read.path.map(part => {
    if (typeof part === 'string') return part
    return encodeURIComponent(String(valueOf(part, device)))
  })
  return parts.join('')
}

function valueOf(part: Template, device: string): string | number | boolean {
  switch (part.is) {
    case 'device':
      return device
    case 'number':
      return part.min
    case 'time':
      return new Date(Date.now() - (part.agoMs ?? 0)).toISOString()
    case 'pick':
      return part.of[0]
    case 'constant':
      return part.value
    case 'serial':
      return `${part.prefix}0`
    default:
      return ''
  }
}
