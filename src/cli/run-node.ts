import type { EventEmitter } from 'node:events'
import { constants } from 'node:os'
import { exitCode } from './exit-code.ts'

/** What this file needs of a running node; `compose` gives more. */
export interface Stoppable {
  stop(): Promise<void>
  /** Resolves when the node cannot go on. */
  readonly failed: Promise<Error>
  /** Why it takes no more points although it runs on, such as a failed sync of the log. */
  failure(): string | undefined
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
    const failure = typeof reason === 'string' ? node.failure() : reason.message
    const stopped = await stopInTime(node, options)
    if (stopped === 'late') return exitCode('stopTimeout')
    return exitCode(failure === undefined && stopped === 'stopped' ? 'ok' : 'failed')
  } finally {
    for (const signal of SIGNALS) options.signals.off(signal, onSignal)
  }
}

async function stopInTime(
  node: Stoppable,
  options: RunOptions,
): Promise<'stopped' | 'failed' | 'late'> {
  const { shutdownTimeoutMs, report } = options
  const { promise: late, resolve } = Promise.withResolvers<'late'>()
  const timer = setTimeout(resolve, shutdownTimeoutMs, 'late')
  try {
    if ((await Promise.race([node.stop(), late])) !== 'late') return 'stopped'
    report(`the stop took longer than shutdownTimeoutMs (${shutdownTimeoutMs} ms): giving up`)
    return 'late'
  } catch (error) {
    report('the stop failed', error as Error)
    return 'failed'
  } finally {
    clearTimeout(timer)
  }
}
