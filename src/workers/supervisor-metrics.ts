/** What the supervisor counts of one group of workers. */
export interface GroupFigures {
  readonly kind: string
  processes: number
  /** Percent of a core, the mean over its processes at the last look. */
  cpuPct: number
  /** Decisions to have more, and fewer. */
  ups: number
  downs: number
  /** Workers replaced by rolling restarts. */
  restarts: number
}

/** One metric as prom-client gives it as JSON, which is how workers give theirs too. */
export interface MetricJson {
  readonly name: string
  readonly help: string
  readonly type: string
  /** How several processes' values become one; `first`: all of them say the same. */
  readonly aggregator?: string
  readonly values: readonly {
    readonly metricName?: string
    readonly labels: Readonly<Record<string, string | number>>
    readonly value: number
  }[]
}

export function supervisorMetrics(groups: readonly GroupFigures[]): MetricJson[] {
  const of = (read: (figures: GroupFigures) => number) =>
    groups.map(figures => ({ labels: { kind: figures.kind }, value: read(figures) }))
  const decided = groups.flatMap(({ kind, ups, downs }) => [
    { labels: { kind, direction: 'up' }, value: ups },
    { labels: { kind, direction: 'down' }, value: downs },
  ])
  return [
    gauge(
      'weir_workers',
      'Worker processes by kind',
      of(({ processes }) => processes),
    ),
    gauge(
      'weir_workers_cpu_percent',
      'Percent of a core that the workers of a kind use, their mean',
      of(({ cpuPct }) => cpuPct),
    ),
    counter('weir_scaling_decisions_total', 'Changes of the number of workers', decided),
    counter(
      'weir_workers_replaced_total',
      'Workers replaced by rolling restarts',
      of(({ restarts }) => restarts),
    ),
  ]
}

function gauge(name: string, help: string, values: MetricJson['values']): MetricJson {
  return { name, help, type: 'gauge', values }
}

function counter(name: string, help: string, values: MetricJson['values']): MetricJson {
  return { name, help, type: 'counter', values }
}
