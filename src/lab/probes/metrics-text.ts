/** One line of the Prometheus text format. */
export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Values by the name of their metric, of those that are wanted. */
export function readMetrics(
  text: string,
  wanted: ReadonlySet<string>,
): ReadonlyMap<string, readonly MetricValue[]> {
  const found = new Map<string, MetricValue[]>()
  for (const line of text.split('\n')) {
    const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0]
    if (name === undefined || !wanted.has(name)) continue
    const value = Number(line.slice(line.lastIndexOf(' ') + 1))
    if (!Number.isFinite(value)) continue
    const labels: Record<string, string> = {}
    for (const [, label, quoted] of line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[label] = quoted
    }
    const values = found.get(name)
    if (values === undefined) found.set(name, [{ labels, value }])
    else values.push({ labels, value })
  }
  return found
}
