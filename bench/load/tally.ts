import { build, type Histogram } from 'hdr-histogram-js'

/** What happened in one window of a load, or over all windows. Latencies in milliseconds. */
export interface LoadWindow {
  readonly seconds: number
  readonly requests: number
  readonly points: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** CPU of the generator's process, in cores. */
  readonly cpu: number
}

export interface LoadTotals {
  /** From the first to the last byte, warm-up and draining too: what the ledger must hold. */
  readonly sentPoints: number
  readonly acknowledgedPoints: number
  /** Points whose request or message was never answered. */
  readonly unansweredPoints: number
  readonly failures: number
  readonly firstFailure: string | undefined
  readonly windows: readonly LoadWindow[]
  /** Over all windows, not their mean. */
  readonly overall: LoadWindow
}

/** Counts answers into windows. The caller decides when a window ends. */
export interface Tally {
  answer(points: number, latencyMs: number): void
  failure(what: string): void
  /** Ends the window; what came before the first call of it was warm-up and is not measured. */
  mark(): LoadWindow | undefined
  totals(sentPoints: number): LoadTotals
}

const newHistogram = (): Histogram =>
  build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 120_000_000,
    numberOfSignificantValueDigits: 3,
  })

export function tally(): Tally {
  const windows: LoadWindow[] = []
  const whole = newHistogram()
  const histogram = newHistogram()
  let measuring = false
  let [requests, points, acknowledged, failures] = [0, 0, 0, 0]
  let firstFailure: string | undefined
  let began = performance.now()
  let cpu = process.cpuUsage()
  let [allSeconds, allRequests, allPoints, allCpu] = [0, 0, 0, 0]

  const window = (
    from: Histogram,
    counts: Omit<LoadWindow, 'p50Ms' | 'p99Ms' | 'maxMs'>,
  ): LoadWindow => ({
    ...counts,
    p50Ms: from.getValueAtPercentile(50) / 1000,
    p99Ms: from.getValueAtPercentile(99) / 1000,
    maxMs: from.maxValue / 1000,
  })

  return {
    answer(pointsOfIt, latencyMs) {
      requests++
      points += pointsOfIt
      acknowledged += pointsOfIt
      histogram.recordValue(Math.max(1, Math.round(latencyMs * 1000)))
    },
    failure(what) {
      failures++
      firstFailure ??= what
    },
    mark() {
      const now = performance.now()
      const seconds = (now - began) / 1000
      const used = process.cpuUsage(cpu)
      const cpuSeconds = (used.user + used.system) / 1e6
      let ended: LoadWindow | undefined
      if (measuring) {
        ended = window(histogram, { seconds, requests, points, cpu: cpuSeconds / seconds })
        windows.push(ended)
        whole.add(histogram)
        allSeconds += seconds
        allRequests += requests
        allPoints += points
        allCpu += cpuSeconds
      }
      measuring = true
      histogram.reset()
      requests = points = 0
      began = now
      cpu = process.cpuUsage()
      return ended
    },
    totals(sentPoints) {
      const cores = allSeconds === 0 ? 0 : allCpu / allSeconds
      const counts = { seconds: allSeconds, requests: allRequests, points: allPoints, cpu: cores }
      return {
        ...{ sentPoints, acknowledgedPoints: acknowledged, failures, firstFailure, windows },
        unansweredPoints: sentPoints - acknowledged,
        overall: window(whole, counts),
      }
    },
  }
}
