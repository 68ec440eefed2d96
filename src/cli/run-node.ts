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
 * Runs what `start` starts until a signal or a failure, then stops it. A signal that arrives during
 * the start aborts what `start` is given: a start that waits gives up by rejecting, any other is
 * stopped as soon as it has started. A second signal ends the process at once.
 */
export async function runNode(
  start: (signal: AbortSignal) => Promise<Stoppable>,
  options: RunOptions,
): Promise<number> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<string>()
  const givingUp = new AbortController()
  let firstAt: number | undefined
  const onSignal = (signal: (typeof SIGNALS)[number]): void => {
    firstAt ??= performance.now()
    ask(signal)
    givingUp.abort()
    if (performance.now() - firstAt > SAME_SIGNAL_MS) {
      options.exitNow(128 + constants.signals[signal])
    }
  }
  for (const signal of SIGNALS) options.signals.on(signal, onSignal)
  try {
    const node = await started(start, givingUp.signal)
    if (node === undefined) {
      options.report(`${await asked}: the start is given up`)
      return exitCode('ok')
    }
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

/** Undefined when it was given up. */
async function started(
  start: (signal: AbortSignal) => Promise<Stoppable>,
  signal: AbortSignal,
): Promise<Stoppable | undefined> {
  try {
    return await start(signal)
  } catch (error) {
    if (!signal.aborted) throw error
    return undefined
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
