import { figure } from '../../analysis/causes/figure.ts'
import type { MeasuredStep } from '../../analysis/result-set.ts'
import type { LoadResult } from '../../generator/load.ts'
import type { ResourceSample } from '../../probes/figures.ts'
import type { Role } from '../../system/system.ts'
import type { Slo } from '../../workloads/workload.ts'
import { bytes } from '../facts.ts'
import type { Markup } from './markup.ts'
import { horizontalAxis, line, mark, path, picture, text, verticalAxis } from './plot.ts'
import type { Box, Spot } from './plot.ts'
import { linearScale, logScale, spread, timeScale } from './scale.ts'
import type { Scale } from './scale.ts'

const WIDTH = 440
const LEFT = 40
const MIB = 2 ** 20

/** A pilot: what was offered and achieved, and p99, second by second, until the SLO was broken. */
export function rampPlot({ ticks, stages }: LoadResult, slo: Slo): Markup | undefined {
  if (ticks.length === 0) return undefined
  const right = WIDTH - 20
  const [upper, lower] = boxes(right, 66, 104)
  const x = timeScale(ticks[ticks.length - 1].atMs + 1000, { from: LEFT, to: right })
  const top = Math.max(1, ...ticks.map(({ offered, achieved }) => Math.max(offered, achieved)))
  const rate = linearScale(top, { from: upper.bottom, to: upper.top })
  const latencies = ticks.map(({ p99Ms }) => p99Ms).filter(ms => ms > 0)
  const bounds = [slo.p99Ms * 2, ...latencies]
  const ms = logScale(
    { min: Math.max(0.1, Math.min(slo.p99Ms / 10, ...latencies)), max: Math.max(...bounds) },
    { from: lower.bottom, to: lower.top },
  )
  const at = (value: (tick: (typeof ticks)[number]) => number, scale: Scale): Spot[] =>
    ticks.map(tick => ({ x: x.at(tick.atMs), y: scale.at(value(tick)) }))
  const limit = ms.at(slo.p99Ms)
  const broken = stages.find(({ breaches }) => breaches.length > 0)
  return picture(
    { width: WIDTH, height: lower.bottom + 22, label: 'The ramp over time' },
    verticalAxis(upper, rate, 'requests/s: dashed offered, solid achieved'),
    path(
      at(tick => tick.offered, rate),
      'curve dashed',
      'offered',
    ),
    path(
      at(tick => tick.achieved, rate),
      'curve c1',
      'achieved',
    ),
    line({ x: LEFT, y: upper.bottom }, { x: right, y: upper.bottom }, 'rule'),
    verticalAxis(lower, ms, 'p99 latency, ms'),
    line({ x: LEFT, y: limit }, { x: right, y: limit }, 'slo'),
    text({ x: LEFT + 4, y: limit - 4 }, `SLO ${slo.p99Ms} ms`, { class: 'slo-name' }),
    path(
      at(tick => tick.p99Ms, ms),
      'curve c1',
      'p99 of each second',
    ),
    broken && breach(broken, { x, from: upper.top, to: lower.bottom, right }),
    horizontalAxis(lower, x),
  )
}

function breach(
  { fromMs, rate, breaches }: LoadResult['stages'][number],
  { x, from, to, right }: { x: Scale; from: number; to: number; right: number },
): Markup[] {
  const at = x.at(fromMs)
  const isLeft = at > (LEFT + right) / 2
  return [
    line({ x: at, y: from }, { x: at, y: to }, 'breach'),
    mark({ x: at, y: from }, { series: 4, size: 4, words: breaches.join('; ') }),
    text({ x: isLeft ? at - 8 : at + 8, y: from + 8 }, `SLO broken at ${figure(rate)}/s`, {
      ...{ class: 'breach-name', 'text-anchor': isLeft ? 'end' : 'start' },
    }),
  ]
}

export const ROLES: readonly Role[] = [
  ...(['api', 'database', 'cache', 'queue', 'consumer', 'supervisor'] as const),
]

/** CPU and memory of every role while the rate was confirmed. */
export function resourcePlot({ probes }: MeasuredStep): Markup | undefined {
  const { samples } = probes
  if (samples.length < 2) return undefined
  const right = WIDTH - 132
  const [upper, lower] = boxes(right, 96, 84)
  const x = timeScale(samples[samples.length - 1].atMs, { from: LEFT, to: right })
  const named = ROLES.filter(role =>
    samples.some(({ cpuPct, memoryBytes }) => (cpuPct[role] ?? memoryBytes[role]) !== undefined),
  )
  const cpu = (sample: ResourceSample, role: Role): number | undefined => sample.cpuPct[role]
  const memory = (sample: ResourceSample, role: Role): number | undefined => {
    const held = sample.memoryBytes[role]
    return held === undefined ? undefined : held / MIB
  }
  return picture(
    { width: WIDTH, height: lower.bottom + 22, label: `CPU and memory of ${named.join(', ')}` },
    rolePanel(samples, { box: upper, x, of: cpu, title: 'CPU, % of one core', unit: percentOf }),
    line({ x: LEFT, y: upper.bottom }, { x: right, y: upper.bottom }, 'rule'),
    rolePanel(samples, { box: lower, x, of: memory, title: 'memory, MiB', unit: mebibytes }),
    horizontalAxis(lower, x),
  )
}

interface RolePanel {
  readonly box: Box
  readonly x: Scale
  readonly of: (sample: ResourceSample, role: Role) => number | undefined
  readonly title: string
  readonly unit: (value: number) => string
}

function rolePanel(
  samples: readonly ResourceSample[],
  { box, x, of, title, unit }: RolePanel,
): Markup[] {
  const lines = ROLES.flatMap((role, series) => {
    const seen = samples.flatMap(sample => {
      const value = of(sample, role)
      return value === undefined ? [] : [{ atMs: sample.atMs, value }]
    })
    return seen.length === 0 ? [] : [{ role, series, seen }]
  })
  const values = lines.flatMap(({ seen }) => seen.map(({ value }) => value))
  const y = linearScale(Math.max(1, ...values), { from: box.bottom, to: box.top })
  const ends = lines.map(({ seen }) => y.at(seen[seen.length - 1].value))
  const places = spread(ends, { gap: 13, from: box.top, to: box.bottom })
  return [
    ...verticalAxis(box, y, title),
    ...lines.flatMap(({ role, series, seen }, i) => {
      const mean = seen.reduce((sum, { value }) => sum + value, 0) / seen.length
      const spots = seen.map(({ atMs, value }) => ({ x: x.at(atMs), y: y.at(value) }))
      const words = `${role}: ${unit(mean)} on average`
      return [
        path(spots, `curve c${series}`, words),
        line({ x: box.right, y: ends[i] }, { x: box.right + 7, y: places[i] }, `lead c${series}`),
        text({ x: box.right + 10, y: places[i] + 4 }, `${role} ${unit(mean)}`, {
          class: `name c${series}`,
        }),
      ]
    }),
  ]
}

const percentOf = (value: number): string => `${Math.round(value)} %`
const mebibytes = (value: number): string => bytes(Math.round(value) * MIB)

function boxes(right: number, first: number, second: number): [Box, Box] {
  const top = 24
  const next = top + first + 26
  return [
    { left: LEFT, right, top, bottom: top + first },
    { left: LEFT, right, top: next, bottom: next + second },
  ]
}
