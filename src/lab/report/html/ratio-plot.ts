import { figure } from '../../analysis/causes/figure.ts'
import type { Ratio } from '../../analysis/ratios.ts'
import { differenceText } from '../../analysis/table.ts'
import { el } from './markup.ts'
import type { Markup } from './markup.ts'
import { hint, horizontalAxis, line, mark, picture, text } from './plot.ts'
import type { SeriesOf } from './latency-plot.ts'
import { logScale } from './scale.ts'
import type { Scale } from './scale.ts'

const WIDTH = 460
const ROW = 34
const LEFT = 18
const RIGHT = WIDTH - 18
const TOP = 14

/** Bars from 1 to the ratio, with interval and every block; what lies in the grey is noise. */
export function ratioPlot(
  ratios: readonly Ratio[],
  { noise, seriesOf }: { readonly noise: number | undefined; readonly seriesOf: SeriesOf },
): Markup {
  const all = ratios.flatMap(({ ratio }) => [...ratio.values, ratio.median])
  const x = logScale(
    { min: Math.min(0.8, ...all) * 0.95, max: Math.max(1.25, ...all) * 1.05 },
    { from: LEFT, to: RIGHT },
  )
  const bottom = TOP + ratios.length * ROW + 4
  const box = { left: LEFT, right: RIGHT, top: TOP, bottom }
  const one = x.at(1)
  return picture(
    {
      ...{ width: WIDTH, height: bottom + 40 },
      label: ratios.map(ratio => `${ratio.solution} ${figure(ratio.ratio.median)} ×`).join(', '),
    },
    noise === undefined ? undefined : noiseBand(noise, x, bottom),
    line({ x: one, y: TOP - 8 }, { x: one, y: bottom }, 'rule'),
    ratios.map((ratio, i) => bar(ratio, { x, y: TOP + i * ROW, series: seriesOf(ratio.solution) })),
    horizontalAxis(box, x, 'times the rate of the one it is held against'),
  )
}

function noiseBand(noise: number, x: Scale, bottom: number): Markup {
  const from = x.at(1 / (1 + noise))
  const width = x.at(1 + noise) - from
  const words = `noise floor: the same solution twice differs by up to ${figure(noise * 100)} %`
  return el(
    'rect',
    { x: from, y: TOP - 8, width, height: bottom - TOP + 8, class: 'noise' },
    hint(words),
  )
}

function bar(
  { solution, against, ratio, difference }: Ratio,
  { x, y, series }: { x: Scale; y: number; series: number },
): Markup[] {
  const { median, interval, values } = ratio
  const one = x.at(1)
  const end = x.at(median)
  const middle = y + 22
  const range = interval ? ` (${figure(interval.low)} to ${figure(interval.high)})` : ''
  const words = `${solution}: ${figure(median)} × ${against}${range}, ${differenceText(difference)}`
  const left = Math.min(one, end)
  return [
    text({ x: LEFT, y: y + 10 }, words, { class: `name c${series}` }),
    el(
      'rect',
      {
        ...{ x: left, y: middle - 6, width: Math.max(1, Math.abs(end - one)), height: 12 },
        class: `bar c${series}${difference === 'same' || difference === 'unknown' ? ' faint' : ''}`,
      },
      hint(words),
    ),
    ...values.map(value =>
      mark(
        { x: x.at(value), y: middle },
        { series, size: 2, words: `a block: ${figure(value)} ×` },
      ),
    ),
    ...(interval === undefined
      ? []
      : [
          line({ x: x.at(interval.low), y: middle }, { x: x.at(interval.high), y: middle }, 'ci'),
          ...[interval.low, interval.high].map(value =>
            line({ x: x.at(value), y: middle - 5 }, { x: x.at(value), y: middle + 5 }, 'ci'),
          ),
        ]),
  ]
}
