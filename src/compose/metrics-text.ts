import { mergedMetrics, type ProcessMetrics } from '../observe/merged-metrics.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Link } from '../workers/link.ts'

/** What `/metrics` answers: of this process or, in a worker, of all that its supervisor runs. */
export function metricsText(metrics: Metrics, link: Link | undefined): () => Promise<string> {
  if (link === undefined) return () => metrics.text()
  link.answer('metrics', () => metrics.json())
  return async () => {
    const answers = await link.gather('metrics')
    const given = answers.flatMap(({ process, value }): ProcessMetrics[] =>
      Array.isArray(value) ? [{ process, metrics: value as object[] }] : [],
    )
    return given.length === 0 ? metrics.text() : mergedMetrics(given)
  }
}
