/** Three digits are as many as were measured. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '∞'
  const size = Math.abs(value)
  if (size >= 100) return String(Math.round(value))
  return String(Number(value.toFixed(size >= 10 ? 1 : 2)))
}
