import type { Analysis } from '../../analysis/analysis.ts'
import type { Bottleneck } from '../../analysis/bottleneck.ts'
import { figure } from '../../analysis/causes/figure.ts'
import { CAUSE_TITLES } from '../../analysis/causes.ts'
import { headlines } from '../../analysis/headline.ts'
import { middleResult } from '../../analysis/result-set.ts'
import type { Cell } from '../../analysis/result-set.ts'
import { isControl } from '../../analysis/ratios.ts'
import type { Ratio } from '../../analysis/ratios.ts'
import { rowTexts, TABLE_COLUMNS } from '../../analysis/table.ts'
import type { TableRow } from '../../analysis/table.ts'
import { evidenceText, runFacts } from '../facts.ts'
import { OVERLOAD_COLUMNS, overloadRow } from '../overload-table.ts'
import { latencyPlot } from './latency-plot.ts'
import type { SeriesOf } from './latency-plot.ts'
import { el, render } from './markup.ts'
import type { Child, Markup } from './markup.ts'
import { ratioPlot } from './ratio-plot.ts'
import { SERIES, STYLES } from './styles.ts'
import { rampPlot, resourcePlot } from './time-plots.ts'

/** The whole report as one file that needs nothing else: no script, no font, no network. */
export function reportPage(analysis: Analysis): string {
  const { run } = analysis.set
  const ids = run.solutions.map(({ id }) => id)
  const seriesOf: SeriesOf = solution => Math.max(0, ids.indexOf(solution)) % SERIES
  const title = `Weir’s lab, ${run.startedAt.slice(0, 10)}`
  const page = el(
    'html',
    { lang: 'en' },
    el(
      'head',
      {},
      el('meta', { charset: 'utf-8' }),
      el('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
      el('meta', {
        'http-equiv': 'Content-Security-Policy',
        content: "default-src 'none'; style-src 'unsafe-inline'",
      }),
      el('title', {}, title),
      { markup: `<style>${STYLES}</style>` },
    ),
    el(
      'body',
      {},
      el('h1', {}, 'Which architecture holds how much'),
      p(`${title} · ${run.machine.cpu}, ${run.machine.cores} cores · ${run.command}`, 'soft'),
      list(headlines(analysis)),
      section('What to know before reading', list(analysis.remarks)),
      section('Comparison', comparison(analysis.table)),
      latencies(analysis, seriesOf),
      differences(analysis, seriesOf),
      bottlenecks(analysis),
      overload(analysis),
      inTime(analysis),
      method(analysis),
    ),
  )
  return `<!doctype html>\n${render(page)}\n`
}

function comparison(rows: readonly TableRow[]): Child {
  const body = rows.map((row, i) => {
    const isFirst = i > 0 && rows[i - 1].profile !== row.profile
    const cells = rowTexts(row).map((words, column) =>
      el('td', { class: classOf(words, column) }, words),
    )
    return el('tr', { class: isFirst ? 'first' : undefined }, cells)
  })
  return [
    el(
      'div',
      { class: 'wide' },
      el(
        'table',
        {},
        headOf(TABLE_COLUMNS, i => i >= 2 && i < 7),
        el('tbody', {}, body),
      ),
    ),
    p(
      'Medians over the blocks, of the step that confirmed the rate. CPU is percent of one core, the ' +
        'highest of one second. Notes begin with the 95 % interval of the rate and every value.',
      'soft',
    ),
  ]
}

function classOf(words: string, column: number): string | undefined {
  if (column === 8) return 'long'
  if (column === 7) return words === 'met' ? 'met' : 'bad'
  if (words === 'missing' || words === 'no database process') return 'gap'
  return column >= 2 ? 'n' : 'id'
}

function latencies({ set }: Analysis, seriesOf: SeriesOf): Child {
  const plots = set.run.profiles.map(profile => {
    const cells = set.cells.filter(cell => cell.profile === profile && !isControl(cell.solution))
    const plot = latencyPlot(cells, { slo: set.run.slo, seriesOf })
    return figureOf(profile, plot ?? p('No solution has a result.', 'gap'), gapsOf(cells))
  })
  return section(
    'Rate against latency',
    p(
      'Further right before it rises is better. On top, the rate that each sustains, with its interval; dotted ' +
        'lines lead from it to the curves. Hollow marks are rates that were not sustained. Both ' +
        'axes are logarithmic; the curves are of the block in the middle.',
      'soft',
    ),
    el('div', { class: 'grid' }, plots),
  )
}

/** Solutions that a picture cannot show, and why. */
function gapsOf(cells: readonly Cell[]): Markup[] {
  return cells
    .filter(({ results }) => results.length === 0)
    .map(({ solution, missing }) => p(`${solution}: no result. ${missing.join('; ')}.`, 'gap'))
}

function differences(
  { ratios, stackRatios, readings, noise, set }: Analysis,
  seriesOf: SeriesOf,
): Child {
  const plotsOf = (chosen: readonly Ratio[]): Markup =>
    el(
      'div',
      { class: 'grid' },
      set.run.profiles.flatMap(profile => {
        const own = chosen.filter(ratio => ratio.profile === profile)
        if (own.length === 0) return []
        return figureOf(profile, ratioPlot(own, { noise: noise?.share, seriesOf }))
      }),
    )
  const ablation = ratios.filter(({ solution }) => readings.ablation.includes(solution))
  const others = ratios.filter(
    ({ solution }) => !readings.ablation.includes(solution) && !isControl(solution),
  )
  if (ratios.length === 0) return undefined
  return section(
    'What each change is worth',
    p(
      'Ratios of the sustained rate, paired within blocks: bar to the median, line the 95 % ' +
        'interval, marks the blocks. Called faster or slower only where the interval excludes 1 and ' +
        'the effect is at least 10 % and beyond the noise floor (grey); pale bars show no difference.',
      'soft',
    ),
    ablation.length > 0 && [el('h3', {}, 'One change at a time'), plotsOf(ablation)],
    stackRatios.length > 0 && [
      el('h3', {}, `One after the other: ${readings.stack.join(' → ')}`),
      plotsOf(stackRatios),
    ],
    others.length > 0 && [el('h3', {}, 'Other compositions'), plotsOf(others)],
    gapsOf(set.cells).length > 0 && [
      el('h3', {}, 'Without a ratio'),
      set.cells
        .filter(({ results }) => results.length === 0)
        .map(cell => p(`${cell.profile}, ${cell.solution}: ${cell.missing.join('; ')}.`, 'gap')),
    ],
  )
}

function bottlenecks({ bottlenecks: found, checks, set }: Analysis): Child {
  if (found.length === 0) return undefined
  const cardOf = ({ solution, rate, explanations }: Bottleneck): Markup =>
    el(
      'div',
      { class: 'card' },
      el('h4', {}, `${solution}: ${CAUSE_TITLES[explanations[0].cause]}`),
      explanations.map(({ text, evidence, prediction, cause }, i) => {
        const check = checks.find(item => item.prediction === prediction)
        const isTested = check !== undefined && check.outcome !== 'not tested'
        const figures = evidence.map(item => evidenceText(item))
        return [
          p(i === 0 ? text : `Close behind, ${CAUSE_TITLES[cause]}: ${text}`),
          el('p', { class: 'evidence' }, `Measured at ${figure(rate)}/s: ${figures.join(' · ')}`),
          prediction && el('p', {}, el('b', {}, 'To test: '), prediction.text),
          isTested && el('p', { class: check.outcome === 'held' ? 'met' : 'bad' }, check.text),
        ]
      }),
    )
  return section(
    'What stops them',
    set.run.profiles.map(profile => {
      const own = found.filter(item => item.profile === profile)
      if (own.length === 0) return undefined
      const rest = set.cells.filter(
        cell =>
          cell.profile === profile &&
          !isControl(cell.solution) &&
          own.every(({ solution }) => solution !== cell.solution),
      )
      const cards = [...own.map(cardOf), gapsOf(rest)]
      return [el('h3', {}, profile), el('div', { class: 'grid small' }, cards)]
    }),
  )
}

function overload({ overloads, set }: Analysis): Child {
  if (overloads.length === 0) return undefined
  const factor = figure(set.run.phases.overloadFactor)
  return section(
    'Beyond the limit',
    p(
      `${factor} × the sustained rate: how much of it is still answered well (goodput; kept is its ` +
        'share of the sustained rate), and how long it takes to answer within the SLO again.',
      'soft',
    ),
    tableOf(OVERLOAD_COLUMNS, overloads.map(overloadRow), 2),
  )
}

function inTime({ set }: Analysis): Child {
  const cards = (cell: Cell): Child => {
    const block = middleResult(cell) ?? cell.blocks[0]
    const pilot = block.steps.find(({ phase, load }) => phase === 'pilot' && load !== undefined)
    const ramp = pilot?.load && rampPlot(pilot.load, set.run.slo)
    const resources = block.confirm && resourcePlot(block.confirm)
    if (ramp === undefined && resources === undefined) {
      return figureOf(cell.solution, p(cell.missing.join('; ') || 'nothing was recorded', 'gap'))
    }
    const rate = block.confirm && ` confirmed at ${figure(block.confirm.rate)}/s`
    return figureOf(
      `${cell.solution}, block ${block.block}`,
      el('div', { class: 'soft' }, 'The ramp'),
      ramp ?? p('not recorded', 'gap'),
      el('div', { class: 'soft' }, `While it was${rate ?? ' confirmed'}`),
      resources ?? p(cell.missing.join('; ') || 'not recorded', 'gap'),
    )
  }
  return section(
    'Over time',
    p(
      'The ramp that looks for the limit, and CPU and memory while the rate was confirmed.',
      'soft',
    ),
    set.run.profiles.map(profile => [
      el('h3', {}, profile),
      el(
        'div',
        { class: 'grid' },
        set.cells.filter(cell => cell.profile === profile && !isControl(cell.solution)).map(cards),
      ),
    ]),
  )
}

function method({ set, readings }: Analysis): Child {
  const header = ['Solution', 'Topology', 'Extends', 'What it sets', 'Meant to']
  const rows = readings.compositions.map(item => [
    ...[item.solution, item.topology, item.extends ?? '–'],
    ...[item.changes.join(', ') || 'nothing', item.summary],
  ])
  return section(
    'How it was measured',
    tableOf(['', ''], runFacts(set)),
    el('h3', {}, 'What the solutions are'),
    tableOf(header, rows),
    el('h3', {}, 'Topology files'),
    Object.entries(set.run.machine.topologies).map(([name, words]) => [
      el('h4', {}, name),
      el('pre', {}, words),
    ]),
  )
}

/** Columns from `numbers` on are figures. */
function tableOf(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  numbers = Number.POSITIVE_INFINITY,
): Markup {
  const body = rows.map(cells =>
    el(
      'tr',
      {},
      cells.map((words, i) => el('td', { class: i >= numbers ? 'n' : undefined }, words)),
    ),
  )
  const head = header.some(words => words !== '') ? headOf(header, i => i >= numbers) : undefined
  return el('div', { class: 'wide' }, el('table', {}, head, el('tbody', {}, body)))
}

function headOf(header: readonly string[], isNumber: (column: number) => boolean): Markup {
  const cells = header.map((words, i) =>
    el('th', { scope: 'col', class: isNumber(i) ? 'n' : undefined }, words),
  )
  return el('thead', {}, el('tr', {}, cells))
}

function section(title: string, ...children: Child[]): Markup {
  return el('section', {}, el('h2', {}, title), children)
}

function figureOf(title: string, ...children: Child[]): Markup {
  return el('figure', {}, el('figcaption', {}, title), children)
}

function p(words: string, className?: string): Markup {
  return el('p', { class: className }, words)
}

function list(items: readonly string[]): Markup {
  return el(
    'ul',
    {},
    items.map(words => el('li', {}, words)),
  )
}
