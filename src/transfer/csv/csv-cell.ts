/**
 * What spreadsheets take for a formula when a cell begins with it (OWASP, CSV injection): `=`, `+`,
 * `-`, `@`, tab, carriage return; and the apostrophe itself, so that the way back is exact.
 */
const DEFUSED: ReadonlySet<number> = new Set([61, 43, 45, 64, 9, 13, 39])

/**
 * A name or a text as a cell: with an apostrophe in front where a spreadsheet would run it, and in
 * quotes where RFC 4180 asks for them, where white space would be trimmed, and where it is empty.
 */
export function textCell(text: string): string {
  const cell = DEFUSED.has(text.charCodeAt(0)) ? `'${text}` : text
  if (cell === '' || /[",;\r\n\t]|^\s|\s$/.test(cell)) return `"${cell.replaceAll('"', '""')}"`
  return cell
}

/** The text that `textCell` wrote, from what stood in the cell. */
export function textOfCell(cell: string): string {
  return cell.charCodeAt(0) === 39 ? cell.slice(1) : cell
}
