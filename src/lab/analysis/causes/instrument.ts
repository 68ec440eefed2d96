import type { StepRecord } from '../../run/record.ts'
import type { Explanation, Scene } from '../explanation.ts'
import { figure } from './figure.ts'

export function ledger(scene: Scene): Explanation | undefined {
  const { step } = scene
  const { acknowledged, stored, imbalance, problems } = step.probes.ledger
  if (step.verdict.outcome !== 'invalid') return undefined
  const what = problems.join('; ') || `the ledger is off by ${imbalance}`
  return {
    cause: 'ledger',
    text: `The rate does not count: ${what}. Of ${acknowledged} acknowledged points ${stored} are stored.`,
    evidence: [
      { figure: 'acknowledged', value: acknowledged, unit: 'points' },
      { figure: 'stored', value: stored, unit: 'points' },
    ],
  }
}

/**
 * A system that ended, or a generator that did, leaves no figures: there is only what its verdict
 * says. Undefined: the step is none of them.
 */
export function withoutFigures({ rate, verdict }: StepRecord): Explanation | undefined {
  const { outcome, breaches } = verdict
  const isOwn = outcome === 'void'
  if (!isOwn && breaches.every(({ rule }) => rule !== 'crash')) return undefined
  const whose = isOwn ? 'The instrument, not the system' : 'There are no figures of it'
  return {
    cause: isOwn ? 'generator' : 'crash',
    text: `${whose}: ${breaches.map(({ detail }) => detail).join('; ')}.`,
    evidence: [{ figure: 'offered', value: rate, unit: '/s' }],
  }
}

export function generator({ step }: Scene): Explanation | undefined {
  const isOwn = step.verdict.breaches.some(
    ({ rule }) => rule === 'send-lag' || rule === 'generator-cpu',
  )
  if (step.verdict.outcome !== 'void' && !isOwn) return undefined
  const { sendLag, generatorCpuShare } = step.load
  return {
    cause: 'generator',
    text:
      `The instrument, not the system: requests left ${figure(sendLag.p99Ms)} ms late (p99), with ` +
      `${figure(generatorCpuShare * 100)} % of a core used by the generator.`,
    evidence: [
      { figure: 'send lag p99', value: sendLag.p99Ms, unit: 'ms' },
      { figure: 'generator CPU', value: generatorCpuShare * 100, unit: '% of a core' },
    ],
  }
}
