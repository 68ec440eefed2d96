import { errorText } from '../kit/error-text.ts'
import { WeirError } from '../ports/errors.ts'
import { WorkerError } from '../workers/worker-slot.ts'
import { exitCode } from './exit-code.ts'

const UNAVAILABLE = new Set([
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EACCES',
  'ENOTFOUND',
  'EROFS',
  'EPERM',
])

/** The exit code of a node that did not start; undefined where the error is nobody's expectation and its trace is wanted. */
export function codeOfStartError(error: unknown): number | undefined {
  if (error instanceof WorkerError) return error.exitCode
  if (error instanceof WeirError) {
    if (error.kind === 'corrupt') return exitCode('damaged')
    return exitCode(error.kind === 'config' ? 'usage' : 'unavailable')
  }
  const { code } = error as NodeJS.ErrnoException
  return code !== undefined && UNAVAILABLE.has(code) ? exitCode('unavailable') : undefined
}

/** What a person is told of it. */
export function messageOfStartError(error: unknown): string {
  const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const hint = isTaken ? ' (choose another with --http or --mqtt HOST:PORT; port 0 takes any)' : ''
  // What is away is told with where it was looked for.
  const isAway = error instanceof WeirError && error.kind === 'retryable'
  return (isAway ? errorText(error) : (error as Error).message) + hint
}
