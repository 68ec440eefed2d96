import type { SystemUnderTest } from '../system/system.ts'
import type { Breach, Verdict } from './record.ts'

/** The verdict on a system that did not start, or ended. */
export function crashed(detail: string, others: readonly Breach[] = []): Verdict {
  return { outcome: 'fail', breaches: [{ rule: 'crash', detail }, ...others] }
}

/**
 * The verdict, unless the system has ended by itself meanwhile: what it can no longer tell is not lost,
 * and a rate that ends it is one that it does not hold.
 */
export function unlessEnded(system: SystemUnderTest, verdict: Verdict): Verdict {
  const failure = system.failure?.()
  if (failure === undefined) return verdict
  const others = verdict.breaches.filter(({ rule }) => rule !== 'ledger' && rule !== 'unread')
  return crashed(`the system ended under load: ${firstLine(failure)}`, others)
}

/** The rest of what a node printed is in its log. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.trim().split('\n').slice(0, 3).join(' ').slice(0, 500)
}
