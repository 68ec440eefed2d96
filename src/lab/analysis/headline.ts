import type { Analysis } from './analysis.ts'
import { figure } from './causes/figure.ts'
import { isControl, referenceOf } from './ratios.ts'
import { ratioText } from './table.ts'

/** The answer in a sentence a profile: who holds most, and what that is worth. */
export function headlines({ set, table, ratios }: Analysis): string[] {
  return set.run.profiles.map(profile => {
    const rows = table
      .filter(row => row.profile === profile && !isControl(row.solution))
      .flatMap(({ solution, maxRate }) =>
        maxRate === undefined ? [] : [{ solution, rate: maxRate.median }],
      )
      .sort((a, b) => b.rate - a.rate)
    if (rows.length === 0) return `${profile}: no solution has a result.`
    const [first, second] = rows
    const most = second === undefined ? 'holds' : 'holds most,'
    const ratio = ratios.find(item => item.profile === profile && item.solution === first.solution)
    const worth =
      ratio === undefined
        ? rows.length > 1 && first.solution === referenceOf(set)
          ? ', which none of the others exceeds'
          : ''
        : `, ${ratioText(ratio)}`
    const next =
      second === undefined ? '' : ` Next is ${second.solution} with ${figure(second.rate)}/s.`
    return `${profile}: ${first.solution} ${most} ${figure(first.rate)} requests/s${worth}.${next}`
  })
}
