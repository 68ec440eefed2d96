import type { CellComparison, ResultComparison } from '../analysis/comparison.ts'
import { figure } from '../analysis/causes/figure.ts'
import { differenceText } from '../analysis/table.ts'
import { percent } from './facts.ts'
import { escapeMarkdown, markdownTable } from './markdown.ts'

/** What `weir lab compare A B` prints. */
export function comparisonMarkdown(comparison: ResultComparison): string {
  const { changed, cells, predictions, noise, warnings } = comparison
  const floor = noise === undefined ? 'not known: no A/A control' : percent(noise)
  const parts = [
    '# B against A',
    warnings.map(line => `- ${escapeMarkdown(line)}`).join('\n'),
    '## What changed',
    changed.length === 0
      ? 'Nothing that was recorded: the same was run twice.'
      : markdownTable(
          ['', 'A', 'B'],
          changed.map(({ fact, a, b }) => [fact, a, b]),
        ),
    '## Max sustainable RPS',
    markdownTable(
      ['Solution ID', 'Test Profile', 'A', 'B', 'B ÷ A', '95 % interval', ''],
      cells.map(cellRow),
    ),
    `Medians over blocks; not paired, each set resampled by itself. Noise floor: ${floor}.`,
    '## Predictions of A',
    predictions.length === 0
      ? 'It made none.'
      : markdownTable(
          ['Solution ID', 'Test Profile', 'Predicted', 'In B'],
          predictions.map(({ prediction, text }) => [
            ...[prediction.solution, prediction.profile, prediction.text, text],
          ]),
        ),
  ]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

function cellRow(cell: CellComparison): string[] {
  const { solution, profile, a, b, ratio, difference, missing } = cell
  const rate = (value: number | undefined): string => (value === undefined ? '–' : figure(value))
  const key = [solution, profile, rate(a), rate(b)]
  if (ratio === undefined || difference === undefined) return [...key, '–', '–', missing ?? '']
  const { interval } = ratio
  const range = interval ? `${figure(interval.low)} to ${figure(interval.high)}` : 'none (1 block)'
  return [...key, figure(ratio.median), range, differenceText(difference)]
}
