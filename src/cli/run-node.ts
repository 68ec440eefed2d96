import type { EventEmitter } from 'node:events'
import { constants } from 'node:os'
import { exitCode } from './exit-code.ts'

/** What this file needs of a running node; `compose` gives more. */
export interface Stoppable {
  stop(): Promise<void>
  /** Resolves when the node cannot go on. */
  readonly failed: Promise<Error>
}

export interface RunOptions {
  readonly shutdownTimeoutMs: number
  /** `process`, except in tests. */
  readonly signals: EventEmitter
  /** Ends the process at once, for a second signal. */
  exitNow(code: number): void
  report(message: string, error?: Error): void
}

// One Ctrl-C may arrive several times: from the terminal to the whole group, and again from npm.
const SAME_SIGNAL_MS = 500
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * Runs what `start` starts until a signal or a failure, then stops it. Signals that arrive during
 * the start stop it as soon as it has started; a second one ends the process at once.
 */
export async function runNode(
  start: () => Promise<Stoppable>,
  options: RunOptions,
): Promise<number> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<string>()
  let firstAt: number | undefined
  const onSignal = (signal: (typeof SIGNALS)[number]): void => {
    firstAt ??= performance.now()
    ask(signal)
    if (performance.now() - firstAt > SAME_SIGNAL_MS) {
      options.exitNow(128 + constants.signals[signal])
    }
  }
  for (const signal of SIGNALS) options.signals.on(signal, onSignal)
  try {
    const node = await start()
    const reason = await Promise.race([asked, node.failed])
    if (typeof reason === 'string') options.report(`${reason}: stopping`)
    else options.report('the node failed: stopping', reason)
    if (!(await stopInTime(node, options))) return exitCode('stopTimeout')
    return exitCode(typeof reason === 'string' ? 'ok' : 'failed')
  } finally {
    for (const signal of SIGNALS) options.signals.off(signal, onSignal)
  }
}

async function stopInTime(node: Stoppable, options: RunOptions): Promise<boolean> {
  const { shutdownTimeoutMs, report } = options
  const { promise: late, resolve } = Promise.withResolvers<'late'>()
  const timer = setTimeout(resolve, shutdownTimeoutMs, 'late')
  try {
    if ((await Promise.race([node.stop(), late])) !== 'late') return true
    report(`the stop took longer than shutdownTimeoutMs (${shutdownTimeoutMs} ms): giving up`)
    return false
  } finally {
    clearTimeout(timer)
  }
}
