import type { SendCounts } from './sender.ts'

export interface ProgressOutput {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

export interface ProgressOptions {
  readonly out: ProgressOutput
  readonly counts: SendCounts
  /** How much of the work is done, 0 to 1; undefined when there is no end. */
  readonly done: () => number | undefined
  /** Between two lines where the output is no terminal. */
  readonly lineIntervalMs: number
}

const TTY_INTERVAL_MS = 200

export interface Progress {
  /** Shows the last state and ends the line. */
  stop(): void
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
export const count = (value: number): string => grouped.format(value).replaceAll(',', ' ')

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${String(seconds % 60).padStart(2, '0')}s`
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`
}

/** One updating line on a terminal, a line every few seconds elsewhere. */
export function showProgress(options: ProgressOptions): Progress {
  const { out, counts } = options
  const tty = out.isTTY === true
  const began = performance.now()
  let [before, beforeMs] = [0, began]
  let rate = 0

  const line = (): string => {
    const now = performance.now()
    // Over the last line's interval, so that a stop of the platform shows at once.
    if (now - beforeMs >= 900) {
      rate = (counts.acknowledged - before) / ((now - beforeMs) / 1000)
      before = counts.acknowledged
      beforeMs = now
    } else if (rate === 0 && now > began) rate = counts.acknowledged / ((now - began) / 1000)
    const parts = [
      `sent ${count(counts.sent)} points`,
      `acknowledged ${count(counts.acknowledged)}`,
      `${count(rate)}/s`,
      `errors ${count(counts.errors)}`,
    ]
    if (counts.refused > 0) parts.push(`refused ${count(counts.refused)}`)
    const done = options.done()
    if (done === undefined) parts.push(`running ${duration(now - began)}`)
    else parts.push(`${Math.floor(100 * done)}%`, `${left(done, now - began)} left`)
    return parts.join(' · ')
  }

  const show = (): void => {
    out.write(tty ? `\r\x1b[K${line()}` : `${line()}\n`)
  }
  const timer = setInterval(show, tty ? TTY_INTERVAL_MS : options.lineIntervalMs)
  timer.unref()
  return {
    stop() {
      clearInterval(timer)
      show()
      if (tty) out.write('\n')
    },
  }
}

function left(done: number, elapsedMs: number): string {
  if (done >= 1) return '0s'
  return done > 0.001 ? duration((elapsedMs * (1 - done)) / done) : '…'
}
