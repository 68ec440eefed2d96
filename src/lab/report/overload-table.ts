import { figure } from '../analysis/causes/figure.ts'
import type { Overload } from '../analysis/overload.ts'
import { percent, seconds } from './facts.ts'

/** Of "Beyond the limit", in every form of the report. */
export const OVERLOAD_COLUMNS = [
  ...['Profile', 'Solution', 'Offered', 'Goodput', 'Kept', 'p99', 'Errors', 'Points', 'Recovery'],
] as const

export function overloadRow(item: Overload): string[] {
  return [
    ...[item.profile, item.solution, `${figure(item.offeredRate)}/s`],
    ...[`${figure(item.goodput)}/s`, percent(item.kept), `${figure(item.p99Ms)} ms`],
    ...[percent(item.errorShare), pointsText(item), recoveryText(item.recoveryMs)],
  ]
}

function pointsText({ lostIn, uncountedIn, blocks }: Overload): string {
  const where = (count: number): string => (blocks === 1 ? '' : ` in ${count} of ${blocks} blocks`)
  const said: string[] = []
  if (lostIn > 0) said.push(`lost or doubled${where(lostIn)}`)
  if (uncountedIn > 0) said.push(`not known${where(uncountedIn)}, as nobody could count them`)
  return said.join('; ') || 'none lost'
}

function recoveryText(recoveryMs: number | undefined): string {
  return recoveryMs === undefined ? 'not seen' : seconds(recoveryMs)
}
