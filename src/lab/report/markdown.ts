import type { Analysis } from '../analysis/analysis.ts'
import { figure } from '../analysis/causes/figure.ts'
import { CAUSE_TITLES } from '../analysis/causes.ts'
import { headlines } from '../analysis/headline.ts'
import type { Ratio } from '../analysis/ratios.ts'
import { differenceText, rowTexts, TABLE_COLUMNS } from '../analysis/table.ts'
import type { TableRow } from '../analysis/table.ts'
import { evidenceText, percent, runFacts } from './facts.ts'
import { OVERLOAD_COLUMNS, overloadRow } from './overload-table.ts'

/** The whole report without its plots. */
export function reportMarkdown(analysis: Analysis): string {
  const { set, readings } = analysis
  const parts = [
    '# Weir’s lab: which architecture holds how much',
    list(headlines(analysis)),
    '## What to know before reading',
    list(analysis.remarks),
    '## Comparison',
    tableMarkdown(analysis.table),
    'Figures are medians over the blocks, of the step that confirmed the rate. CPU is percent of one ' +
      'core, the highest of one second. Behind the rate are its 95 % interval and every value.',
    ...differences(analysis),
    ...overload(analysis),
    ...bottlenecks(analysis),
    '## How it was measured',
    markdownTable(['', ''], runFacts(set)),
    '### What the solutions are',
    markdownTable(
      ['Solution', 'Topology', 'Extends', 'What it sets', 'Meant to'],
      readings.compositions.map(item => [
        ...[item.solution, item.topology, item.extends ?? '–'],
        ...[item.changes.join(', ') || 'nothing', item.summary],
      ]),
    ),
    '### Topology files',
    ...Object.entries(set.run.machine.topologies).flatMap(([name, text]) => [
      `**${escapeMarkdown(name)}**`,
      fenced(text),
    ]),
  ]
  return `${parts.join('\n\n')}\n`
}

/** The comparison table by itself. */
export function tableMarkdown(rows: readonly TableRow[]): string {
  return markdownTable(TABLE_COLUMNS, rows.map(rowTexts))
}

function differences({ ratios, stackRatios, readings, noise }: Analysis): string[] {
  const one = (ratio: Ratio): string[] => ratioCells(ratio)
  const header = ['Profile', 'Solution', 'Against', 'Ratio', '95 % interval', 'Every block', '']
  const ablation = ratios.filter(({ solution }) => readings.ablation.includes(solution))
  const others = ratios.filter(ratio => !ablation.includes(ratio))
  const parts: string[] = []
  const floor = noise === undefined ? '' : ` and beyond the noise floor of ${percent(noise.share)}`
  const rule =
    'Ratios of the maximum rate, paired within blocks. Called faster or slower only where the ' +
    `interval excludes 1 and the effect is at least 10 %${floor}.`
  if (ratios.length > 0) parts.push('## What each change is worth', rule)
  if (ablation.length > 0) {
    parts.push('### One change at a time', markdownTable(header, ablation.map(one)))
  }
  if (stackRatios.length > 0) {
    const row = readings.stack.map(escapeMarkdown).join(' → ')
    parts.push('### One after the other', `${row}: each against the one before it.`)
    parts.push(markdownTable(header, stackRatios.map(one)))
  }
  if (others.length > 0) {
    parts.push('### Others', markdownTable(header, others.map(one)))
  }
  return parts
}

function ratioCells({ profile, solution, against, ratio, difference }: Ratio): string[] {
  const { median, interval, values } = ratio
  const range = interval ? `${figure(interval.low)} to ${figure(interval.high)}` : 'none (1 block)'
  const all = values.map(figure).join(', ')
  return [profile, solution, against, figure(median), range, all, differenceText(difference)]
}

function overload({ overloads, set }: Analysis): string[] {
  if (overloads.length === 0) return []
  const factor = figure(set.run.phases.overloadFactor)
  return [
    `## Beyond the limit`,
    `${factor} × the sustained rate: what of it is still answered well, and how long it takes to ` +
      'answer within the SLO again when the load has gone.',
    markdownTable(OVERLOAD_COLUMNS, overloads.map(overloadRow)),
  ]
}

function bottlenecks({ bottlenecks: found, checks }: Analysis): string[] {
  if (found.length === 0) return []
  const items = found.map(({ profile, solution, rate, explanations }) => {
    const lines = explanations.map(({ cause, text, prediction, evidence }, i) => {
      const check = checks.find(item => item.prediction === prediction)
      const tested = check === undefined || check.outcome === 'not tested' ? '' : ` ${check.text}`
      const figures = evidence.map(evidenceText)
      const next = prediction === undefined ? '' : ` **To test:** ${prediction.text}${tested}`
      const said = escapeMarkdown(`${CAUSE_TITLES[cause]}. ${text}`)
      return `- **${i === 0 ? 'Limit' : 'Close behind'}:** ${said}${escapeMarkdownKeeping(next)} (${escapeMarkdown(figures.join('; '))})`
    })
    const title = `### ${escapeMarkdown(profile)}, ${escapeMarkdown(solution)} at ${figure(rate)}/s`
    return [title, lines.join('\n')].join('\n\n')
  })
  return ['## What stops them', ...items]
}

/** Our own bold marks stay. */
function escapeMarkdownKeeping(text: string): string {
  return text.split('**').map(escapeMarkdown).join('**')
}

function list(lines: readonly string[]): string {
  return lines.map(line => `- ${escapeMarkdown(line)}`).join('\n')
}

export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`
  return [line(header), `| ${header.map(() => '---').join(' | ')} |`, ...rows.map(line)].join('\n')
}

/** Text of a file must not become a link, a picture or HTML, nor end its cell. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\`*[\]|]/g, '\\$&')
    .replaceAll('<', '&lt;')
    .replace(/\s*[\r\n]+\s*/g, ' ')
}

/** A fence that is longer than any in the text. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}yaml\n${text.trimEnd()}\n${fence}`
}
