import { coverageOf } from './bootstrap.ts'
import { figure } from './causes/figure.ts'
import { LEAST_EFFECT } from './ratios.ts'
import type { NoiseFloor } from './ratios.ts'
import type { Readings } from './readings.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import type { ResultSet } from './result-set.ts'

/** Processes, servers and the generator are more than so many cores can run side by side. */
const FEW_CORES = 4
const STEAL_PCT = 2
/** The kernel's own work, in threads of nobody, is some percent under load. */
const OTHERS_PCT = 8
/** From it on "95 %" is near enough to be said without a remark. */
const LEAST_COVERAGE = 0.94

/** What a reader must know before the figures mean anything; the report says it itself. */
export function remarksOf(
  set: ResultSet,
  parts: { readonly noise: NoiseFloor | undefined; readonly readings: Readings },
): string[] {
  return [
    ...aboutLength(set),
    ...aboutNoise(set, parts.noise),
    ...aboutMachine(set, parts.readings),
    ...aboutGaps(set),
    ...aboutSearches(set),
  ]
}

function aboutLength({ run, starts }: ResultSet): string[] {
  const remarks: string[] = []
  if (run.isQuick) {
    const seconds = figure(run.phases.confirmMs / 1000)
    remarks.push(
      `A quick run: every phase is shortened (${seconds} s to confirm a rate). It is a first look, ` +
        `not a result to publish.`,
    )
  }
  if (run.blocks === 1) {
    remarks.push(
      'One block: every cell was run once, so there are no intervals and nothing is called faster ' +
        'or slower.',
    )
  } else if (coverageOf(run.blocks) < LEAST_COVERAGE) {
    remarks.push(
      `${run.blocks} blocks: what is called a 95 % interval holds the true median in ` +
        `${figure(coverageOf(run.blocks) * 100)} % of cases with so few values. Take 9 or 10 ` +
        `blocks for about the whole 95 %.`,
    )
  }
  if (starts > 1) remarks.push(`The run was interrupted and resumed (${starts} starts).`)
  return remarks
}

function aboutNoise({ run }: ResultSet, noise: NoiseFloor | undefined): string[] {
  if (noise === undefined) {
    return ['No A/A control has a result, so the noise floor of these figures is not known.']
  }
  const share = figure(noise.share * 100)
  const rule =
    noise.share > LEAST_EFFECT
      ? `Smaller differences are called none, also beyond the usual ${LEAST_EFFECT * 100} %.`
      : `That is within the ${LEAST_EFFECT * 100} % that an effect must have to count.`
  const tries = `${noise.ratios.length} profiles, ${run.blocks} blocks`
  return [
    `Noise floor ${share} %: ${noise.of} against itself (${tries}) differed by so much. ${rule}`,
  ]
}

function aboutMachine(set: ResultSet, { compositions }: Readings): string[] {
  const { machine } = set.run
  const remarks = [
    'The generator and all servers share the machine’s cores: what the generator uses, the ' +
      'systems do not have. CPU figures are percent of one core.',
  ]
  const scaled = compositions
    .filter(({ changes }) => changes.some(change => /^processes\.max\b/.test(change)))
    .map(({ solution }) => solution)
  if (machine.cores <= FEW_CORES && scaled.length > 0) {
    remarks.push(
      `With ${machine.cores} cores, ${scaled.join(' and ')} ${scaled.length === 1 ? 'measures' : 'measure'} what further processes cost ` +
        `rather than how they scale: there are no free cores for them.`,
    )
  }
  const mostOf = (of: (probes: ProbeFigures) => number): number =>
    Math.max(
      0,
      ...set.cells.flatMap(({ results }) => results.map(({ confirm }) => of(confirm.probes))),
    )
  const steal = mostOf(({ stealPct }) => stealPct)
  if (steal > STEAL_PCT) {
    remarks.push(
      `Up to ${figure(steal)} % of the machine’s CPU was taken by others on the same hardware ` +
        `(steal) while rates were confirmed.`,
    )
  }
  const others = mostOf(({ othersPct = 0 }) => othersPct)
  if (others > OTHERS_PCT) {
    remarks.push(
      `Up to ${figure(others)} % of all cores were used by what does not belong to the lab while ` +
        `rates were confirmed: the machine was not free for it, and the figures are too low.`,
    )
  }
  const without = solutionsWithoutDatabase(set)
  if (without.length > 0) {
    remarks.push(
      `${without.join(', ')} ${without.length === 1 ? 'has' : 'have'} no database process: its ` +
        `work is done in the API’s, and counted there.`,
    )
  }
  return remarks
}

function solutionsWithoutDatabase({ run, cells }: ResultSet): string[] {
  return run.solutions
    .map(({ id }) => id)
    .filter(id => {
      const results = cells.filter(({ solution }) => solution === id).flatMap(cell => cell.results)
      const roles = results.flatMap(({ confirm }) => confirm.probes.roles.map(({ role }) => role))
      return results.length > 0 && !roles.includes('database')
    })
}

function aboutGaps({ cells }: ResultSet): string[] {
  const remarks: string[] = []
  const gaps = cells.filter(({ results }) => results.length === 0)
  if (gaps.length > 0) {
    const names = gaps.map(({ solution, profile }) => `${solution} / ${profile}`).join(', ')
    remarks.push(`No result for ${gaps.length} of ${cells.length} cells: ${names}.`)
  }
  const steps = cells.flatMap(({ blocks }) => blocks.flatMap(block => block.steps))
  const counted = (outcome: string): number =>
    steps.filter(({ verdict }) => verdict.outcome === outcome).length
  const [voids, invalids] = [counted('void'), counted('invalid')]
  if (voids > 0) {
    remarks.push(
      `${voids} of ${steps.length} steps were void, because the generator was not exact enough in ` +
        `them; they were repeated, or given up.`,
    )
  }
  if (invalids > 0) {
    remarks.push(`${invalids} of ${steps.length} steps lost or doubled a point and do not count.`)
  }
  return remarks
}

/** Where the overload held, a lower rate had not: by chance, or because the system was not warm yet. */
function aboutSearches({ cells, run }: ResultSet): string[] {
  const results = cells.flatMap(cell => cell.results.map(block => ({ cell, block })))
  const astray = results.filter(({ block }) => {
    const overload = block.steps.findLast(({ phase }) => phase === 'overload')
    return overload?.verdict.outcome === 'pass'
  })
  if (astray.length === 0) return []
  const names = astray.map(
    ({ cell, block }) => `${cell.solution} / ${cell.profile} (block ${block.block})`,
  )
  return [
    `In ${astray.length} of ${results.length} results ${figure(run.phases.overloadFactor)} × the found rate held for ` +
      `a short time too, after a lower one had broken by chance or on a system that was not warm yet: ` +
      `${names.join(', ')}. These rates may be too low.`,
  ]
}
