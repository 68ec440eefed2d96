import type { Ledger } from '../system/ledger.ts'
import { backlogOf, storedOf } from '../system/ledger.ts'
import type { LedgerFigures } from './figures.ts'

export interface LedgerSides {
  readonly before: Ledger
  /** When nothing came any more. */
  readonly after: Ledger
  /** By everybody who sent since. */
  readonly acknowledged: number
  readonly uncertain: number
  /** Distinct points since, counted by queries. */
  readonly counted?: number
}

/**
 * Every acknowledged point is there, and no other but those whose senders do not know: distinct
 * points stored = acknowledged, and up to `uncertain` more. What is still on its way is a backlog, and
 * not a loss (docs/decisions/0030-search-and-verdict.md): until it is there, nobody can tell what is
 * missing, but more than was sent is too much at any time.
 */
export function checkLedger(sides: LedgerSides): LedgerFigures {
  const { before, after, acknowledged, uncertain, counted } = sides
  const stored = storedOf(after) - storedOf(before)
  const isDrained = backlogOf(after) === 0
  const problems: string[] = []
  const compare = (what: string, points: number): void => {
    if (isDrained && points < acknowledged) {
      problems.push(
        `${acknowledged - points} of ${acknowledged} acknowledged points are missing: ${what} ${points}`,
      )
    } else if (points > acknowledged + uncertain) {
      const most = uncertain === 0 ? '' : ` and ${uncertain} uncertain ones`
      problems.push(
        `${what} ${points}, which is more than ${acknowledged} acknowledged points${most}`,
      )
    }
  }
  compare('stored are', stored)
  if (counted !== undefined) compare('queries count', counted)
  if (isDrained && after.imbalance !== 0) {
    problems.push(`the node's own ledger has an imbalance of ${after.imbalance}`)
  }
  const dead = after.dead_lettered - before.dead_lettered
  if (dead > 0) problems.push(`${dead} points are dead letters`)
  return {
    ...{ acknowledged, uncertain, stored },
    ...(counted === undefined ? {} : { counted }),
    ...{ imbalance: after.imbalance, problems },
  }
}
