/** How the values of a metric are judged. */
export interface RollingSettings {
  /** Values that the average is made of. */
  readonly window: number
  /** Values that must have been seen before one is judged. */
  readonly warmup: number
  /** Standard deviations from the average that are unusual. */
  readonly zScore: number
  /** Percent of the average that are unusual in any case; 0 means none is. */
  readonly deviationPct: number
  /** Percent of the average that are never unusual by `zScore`. */
  readonly minDeviationPct: number
  /** Anomalies reported of a series while its window fills once; further ones are counted only. */
  readonly maxPerWindow: number
}

/** Settings of their own for the metrics that `match` names; what is absent is as for all. */
export interface RollingRule extends Partial<RollingSettings> {
  /** A metric's name; `*` stands for any characters. */
  readonly match: string
  /** False: these metrics are not watched. */
  readonly watch?: boolean
}

export interface RollingOptions extends RollingSettings {
  /** The first that matches counts. */
  readonly metrics: readonly RollingRule[]
}

/** The settings of each metric: those of all (place 0), then one for each rule. */
export class SettingsByMetric {
  readonly all: readonly RollingSettings[]
  readonly #rules: readonly { readonly pattern: RegExp; readonly watch: boolean }[]
  readonly #places = new Map<string, number>()

  constructor({ metrics, ...base }: RollingOptions) {
    this.all = [base, ...metrics.map(rule => settingsOf(base, rule))]
    this.#rules = metrics.map(({ match, watch = true }) => ({ pattern: patternOf(match), watch }))
  }

  /** The place of the metric's settings in `all`, or -1 when it is not watched. */
  placeOf(metric: string): number {
    let place = this.#places.get(metric)
    if (place === undefined) {
      const rule = this.#rules.findIndex(({ pattern }) => pattern.test(metric))
      place = rule >= 0 && !this.#rules[rule].watch ? -1 : rule + 1
      // Names come from clients: the memory of them is bounded.
      if (this.#places.size >= 10_000) this.#places.clear()
      this.#places.set(metric, place)
    }
    return place
  }
}

function settingsOf(base: RollingSettings, rule: RollingRule): RollingSettings {
  const window = rule.window ?? base.window
  return {
    window,
    warmup: Math.min(rule.warmup ?? base.warmup, window),
    zScore: rule.zScore ?? base.zScore,
    deviationPct: rule.deviationPct ?? base.deviationPct,
    minDeviationPct: rule.minDeviationPct ?? base.minDeviationPct,
    maxPerWindow: rule.maxPerWindow ?? base.maxPerWindow,
  }
}

function patternOf(match: string): RegExp {
  const parts = match.split('*').map(part => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's')
}
