import { WeirError } from '../ports/errors.ts'
import type { Connection } from '../transfer/client/connection.ts'
import type { CommandIo } from './command.ts'
import { exitCode } from './exit-code.ts'

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Options of the commands that speak to a running Weir. */
export const CONNECTION_OPTIONS = {
  url: { type: 'string' },
  key: { type: 'string' },
} as const

export function connectionOf(
  { url: given, key }: { readonly url?: string | undefined; readonly key?: string | undefined },
  env: CommandIo['env'],
  signal: AbortSignal,
): Connection {
  const url = given ?? env['WEIR_URL'] ?? 'http://127.0.0.1:8080'
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError(`--url must be an http:// or https:// address, not "${url}"`)
  }
  return { url, key: key ?? env['WEIR_KEY'], signal }
}

/** Runs a command that can be stopped by SIGINT and SIGTERM, and says what went wrong. */
export async function runTransfer(
  name: string,
  io: CommandIo,
  run: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const stop = new AbortController()
  const abort = (): void => stop.abort()
  process.once('SIGINT', abort)
  process.once('SIGTERM', abort)
  try {
    return await run(stop.signal)
  } catch (error) {
    if (stop.signal.aborted) {
      io.stderr.write(`weir ${name}: stopped; what was done is kept, and may be done again\n`)
      return exitCode('failed')
    }
    const code = codeOf(error)
    if (code === undefined) throw error
    io.stderr.write(`weir ${name}: ${(error as Error).message}\n`)
    return code
  } finally {
    process.off('SIGINT', abort)
    process.off('SIGTERM', abort)
  }
}

function codeOf(error: unknown): number | undefined {
  const { name, code, syscall } = error as NodeJS.ErrnoException
  if (name === 'UsageError' || name === 'RecordingError') return exitCode('usage')
  if (code?.startsWith('ERR_PARSE_ARGS') === true) return exitCode('usage')
  if (error instanceof WeirError)
    return exitCode(error.kind === 'retryable' ? 'unavailable' : 'failed')
  return syscall === undefined ? undefined : exitCode('usage')
}
