import { rowTexts, TABLE_COLUMNS } from '../analysis/table.ts'
import type { TableRow } from '../analysis/table.ts'

/** The table as RFC 4180, with its lines ended by CRLF. */
export function tableCsv(rows: readonly TableRow[]): string {
  const lines = [TABLE_COLUMNS, ...rows.map(rowTexts)]
  return lines.map(cells => `${cells.map(csvCell).join(',')}\r\n`).join('')
}

/**
 * A spreadsheet takes text that begins with one of these for a formula, and would run what a result
 * file from elsewhere says: the apostrophe makes it text (OWASP, CSV injection).
 */
export function csvCell(text: string): string {
  const isNumber = /^-?\d+(\.\d+)?$/.test(text)
  const safe = !isNumber && /^\s*[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
