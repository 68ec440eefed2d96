import { WeirError } from '../ports/errors.ts'
import type { CommandIo } from './command.ts'
import { exitCode } from './exit-code.ts'

/**
 * Says what is wrong with the words or the files that a command of the lab was given, and with what
 * code it ends. Throws what nobody expected: its trace is wanted.
 */
export function complaintOf(
  error: unknown,
  { name, io }: { readonly name: string; readonly io: CommandIo },
): number {
  const { message, code } = error as NodeJS.ErrnoException
  const isUsage = code?.startsWith('ERR_PARSE_ARGS') === true
  const isFile = /^no results in |is no record of the lab$/.test(message)
  if (!isUsage && !isFile && !(error instanceof WeirError)) throw error
  io.stderr.write(`weir lab ${name}: ${message}\n`)
  return exitCode(isUsage ? 'usage' : 'refused')
}
