import { constants } from 'node:os'
import type { CommandIo } from './command.ts'

// One Ctrl-C may arrive several times: from the terminal to the whole group, and again from npm.
const SAME_SIGNAL_MS = 500
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs until the end or a signal, which aborts; a second signal ends the process at once. */
export async function untilStopped<T>(
  io: CommandIo,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  let firstAt: number | undefined
  const onSignal = (signal: (typeof SIGNALS)[number]): void => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      io.stderr.write(`\n${signal}: stopping …\n`)
      stop.abort()
    } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
      process.exit(128 + constants.signals[signal])
    }
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  try {
    return await run(stop.signal)
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}
