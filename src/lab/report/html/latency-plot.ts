import { estimate } from '../../analysis/bootstrap.ts'
import { figure } from '../../analysis/causes/figure.ts'
import { median } from '../../analysis/median.ts'
import { middleResult } from '../../analysis/result-set.ts'
import type { Cell, ResultCell } from '../../analysis/result-set.ts'
import type { Latency } from '../../generator/load.ts'
import type { Slo } from '../../workloads/workload.ts'
import type { Markup } from './markup.ts'
import { horizontalAxis, line, mark, path, picture, text, verticalAxis } from './plot.ts'
import type { Box } from './plot.ts'
import { logScale } from './scale.ts'
import type { Scale } from './scale.ts'

const WIDTH = 460
const ROW = 16
const PANEL = 170
const LEFT = 42
const RIGHT = WIDTH - 12

interface RatePoint {
  readonly rate: number
  readonly latency: Latency
  readonly isBroken: boolean
}

interface Curve {
  readonly solution: string
  readonly series: number
  readonly cell: ResultCell
  readonly points: readonly RatePoint[]
  readonly rates: readonly number[]
}

/** A solution's place in the run decides its colour and shape in all plots. */
export type SeriesOf = (solution: string) => number

/**
 * Rate against latency of every solution under one profile. Above the curves each has a row of its
 * own with the rate that it sustains, at its place on the axis: names never lie on each other.
 */
export function latencyPlot(
  cells: readonly Cell[],
  { slo, seriesOf }: { readonly slo: Slo; readonly seriesOf: SeriesOf },
): Markup | undefined {
  const curves = cells.flatMap(cell => curveOf(cell, seriesOf) ?? [])
  if (curves.length === 0) return undefined
  const strip = 8 + curves.length * ROW
  const all = curves.flatMap(({ points, rates }) => [...points.map(({ rate }) => rate), ...rates])
  const x = logScale(
    { min: Math.min(...all) * 0.9, max: Math.max(...all) * 1.1 },
    { from: LEFT, to: RIGHT },
  )
  const panels = (['p99Ms', 'p95Ms'] as const).map((metric, i) => {
    const top = strip + 28 + i * (PANEL + 40)
    return { metric, box: { left: LEFT, right: RIGHT, top, bottom: top + PANEL } }
  })
  const bottom = panels[1].box.bottom
  return picture(
    {
      ...{ width: WIDTH, height: bottom + 40 },
      label: `Rate against latency of ${curves.map(({ solution }) => solution).join(', ')}`,
    },
    curves.map(({ series, rates }, i) => {
      const at = x.at(median(rates))
      return line({ x: at, y: 10 + i * ROW }, { x: at, y: panels[0].box.bottom }, `drop c${series}`)
    }),
    curves.map((curve, i) => rowOf(curve, x, 10 + i * ROW)),
    panels.map(({ metric, box }) => panelOf(curves, { metric, box, x, slo })),
    horizontalAxis(panels[1].box, x, 'requests a second, offered'),
  )
}

function curveOf(cell: Cell, seriesOf: SeriesOf): Curve | undefined {
  const middle = middleResult(cell)
  if (middle === undefined) return undefined
  const points: RatePoint[] = []
  for (const { phase, load, verdict, rate } of middle.steps) {
    if (load === undefined || verdict.outcome === 'void') continue
    if (phase === 'pilot') {
      points.push(
        ...load.stages.map(stage => ({
          ...{ rate: stage.rate, latency: stage.latency, isBroken: stage.breaches.length > 0 },
        })),
      )
    } else points.push({ rate, latency: load.latency, isBroken: verdict.outcome !== 'pass' })
  }
  const usable = points.filter(({ rate, latency }) => rate > 0 && latency.count > 0)
  return {
    ...{ solution: cell.solution, series: seriesOf(cell.solution), cell: middle },
    points: usable.sort((a, b) => a.rate - b.rate),
    rates: cell.results.map(({ end }) => end.maxRate),
  }
}

function rowOf({ solution, series, rates }: Curve, x: Scale, y: number): Markup[] {
  const { median: rate, interval } = estimate(rates)
  const at = x.at(rate)
  const low = x.at(interval?.low ?? rate)
  const high = x.at(interval?.high ?? rate)
  const isRight = at < (LEFT + RIGHT) / 2
  const range = interval
    ? `, 95 % interval ${figure(interval.low)} to ${figure(interval.high)}`
    : ''
  const words = `${solution} sustains ${figure(rate)}/s${range}`
  return [
    line({ x: low, y }, { x: high, y }, `whisker c${series}`),
    mark({ x: at, y }, { series, size: 4, words }),
    text({ x: isRight ? high + 9 : low - 9, y: y + 4 }, `${solution} ${figure(rate)}/s`, {
      ...{ class: `name c${series}`, 'text-anchor': isRight ? 'start' : 'end' },
    }),
  ]
}

interface PanelOptions {
  readonly metric: 'p99Ms' | 'p95Ms'
  readonly box: Box
  readonly x: Scale
  readonly slo: Slo
}

function panelOf(curves: readonly Curve[], { metric, box, x, slo }: PanelOptions): Markup[] {
  const all = curves.flatMap(({ points }) => points.map(({ latency }) => latency[metric]))
  const bound = slo[metric]
  const max = Math.min(Math.max(bound * 2, ...all), bound * 40)
  const min = Math.max(0.1, Math.min(bound / 10, ...all))
  const y = logScale({ min: min * 0.9, max }, { from: box.bottom, to: box.top })
  const name = metric === 'p99Ms' ? 'p99' : 'p95'
  const limit = y.at(bound)
  return [
    ...verticalAxis(box, y, `${name} latency, ms`),
    line({ x: box.left, y: limit }, { x: box.right, y: limit }, 'slo'),
    text({ x: box.left + 4, y: limit - 4 }, `SLO ${name} ${bound} ms`, { class: 'slo-name' }),
    line({ x: box.left, y: box.bottom }, { x: box.right, y: box.bottom }, 'rule'),
    ...curves.flatMap(({ solution, series, points }) => {
      const spots = points.map(({ rate, latency }) => ({
        ...{ x: x.at(rate), y: y.at(latency[metric]) },
      }))
      const marks = points.map(({ rate, latency, isBroken }, i) =>
        mark(spots[i], {
          ...{ series, size: 2.4, hollow: isBroken },
          words: `${solution} at ${figure(rate)}/s: ${name} ${figure(latency[metric])} ms${isBroken ? ', not sustained' : ''}`,
        }),
      )
      return [path(spots, `curve c${series}`), ...marks]
    }),
  ]
}
