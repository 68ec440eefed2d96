import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { totalMs } from './pace.ts'
import type { GeneratorMessage, LoadResult, RunningLoad, StartLoad } from './load.ts'
import type { GeneratorOrder } from './load-worker.ts'
import { addressOf } from './load-run.ts'

const WORKER = new URL(`./load-worker${extname(import.meta.url)}`, import.meta.url)
const MAX_LOG_CHARACTERS = 4000
/** Beyond all that its plan may take: a process that is not done by then hangs, and is killed. */
const GRACE_MS = 60_000
/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Runs a plan in a process of its own, which ends with this one. Resolves when its connections are
 * open and the run begins.
 *
 * @throws Error when the plan cannot be run, or no connection can be opened.
 */
export const startLoad: StartLoad = (...given) => startWithin(GRACE_MS, given)

/** `startLoad` with another grace, for tests. */
export async function startWithin(
  graceMs: number,
  [plan, onTick, signal]: Parameters<StartLoad>,
): Promise<RunningLoad> {
  addressOf(plan.url)
  const child = fork(WORKER, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Values without an end, such as a bound that is none, have no JSON.
    serialization: 'advanced',
    // Flags of this process may not go with a file.
    execArgv: ['--single-threaded-gc'],
  })
  const kill = (): void => void child.kill('SIGKILL')
  signal?.addEventListener('abort', kill)
  if (signal?.aborted === true) kill()
  const log = keepLog(child)
  const ready = Promise.withResolvers<void>()
  const done = Promise.withResolvers<LoadResult>()
  // Whoever waits for `ready` only is told there; whoever has the load waits for its result.
  done.promise.catch(() => {})
  const fail = (error: Error): void => {
    ready.reject(error)
    done.reject(error)
  }
  child.on('message', (message: GeneratorMessage) => {
    if (message.kind === 'ready') ready.resolve()
    else if (message.kind === 'tick') onTick?.(message.tick)
    else if (message.kind === 'result') done.resolve(message.result)
    else fail(new Error(`the load generator: ${message.message}`))
  })
  // Connections are opened, and answers waited for, for `timeoutMs`.
  const longestMs = totalMs(plan.executor) + 2 * plan.timeoutMs + graceMs
  const limitMs = Math.min(longestMs, MAX_TIMER_MS)
  const hangs = setTimeout(() => {
    fail(new Error(`the load generator had no result after ${limitMs} ms`))
    kill()
  }, limitMs).unref()
  child.on('error', fail)
  child.on('close', (code, killed) => {
    clearTimeout(hangs)
    signal?.removeEventListener('abort', kill)
    const how = killed === null ? `with code ${code}` : `by ${killed}`
    fail(new Error(`the load generator has ended ${how} and no result${log()}`))
  })
  const order = (message: GeneratorOrder): void => {
    if (child.connected) child.send(message, () => {})
  }
  order({ kind: 'plan', plan })
  await ready.promise
  const running: RunningLoad = {
    pid: child.pid!,
    result: done.promise,
    stop: () => order({ kind: 'stop' }),
  }
  return running
}

/** The end of what the process writes when it crashes. */
function keepLog(child: ChildProcess): () => string {
  let text = ''
  child.stderr!.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-MAX_LOG_CHARACTERS)
  })
  return () => (text.trim() === '' ? '' : `:\n${text.trim()}`)
}
