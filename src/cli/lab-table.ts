import { comparisonTable, TABLE_COLUMNS, type TableRow } from '../lab/analysis/table.ts'
import type { LabRecord } from '../lab/run/record.ts'

/** The comparison as text for a terminal, with the columns of the report. */
export function tableText(records: readonly LabRecord[]): string {
  const rows = comparisonTable(records).map(cellsOf)
  const widths = TABLE_COLUMNS.map((head, i) =>
    Math.max(head.length, ...rows.map(row => row[i].length)),
  )
  // The notes come last, and may be long.
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i < 2 || i > 6 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd()
  return [line(TABLE_COLUMNS), ...rows.map(line)].join('\n')
}

function cellsOf(row: TableRow): string[] {
  const number = (value: number | undefined, digits: number): string =>
    value === undefined ? '–' : value.toFixed(digits)
  return [
    row.solution,
    row.profile,
    number(row.p95Ms, 1),
    number(row.errorPct, 2),
    number(row.maxRate?.median, 0),
    number(row.databaseCpuMaxPct, 0),
    number(row.apiCpuMaxPct, 0),
    row.slo,
    row.notes.join('; '),
  ]
}
