import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { WeirError } from '../ports/errors.ts'
import type { ServerCommand } from './provided-server.ts'

const TOLD_LINES = 8

/**
 * Runs a program that makes a server's data to its end.
 *
 * @throws WeirError `retryable` when it fails, with what it said.
 */
export async function runOnce(
  { program, args, env, user }: ServerCommand,
  { cwd, input }: { readonly cwd: string; readonly input: string },
): Promise<void> {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, ...user })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += chunk))
  child.on('error', error => (said += error.message))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code] = (await once(child, 'close').catch(() => [-1])) as [number | null]
  if (code === 0) return
  const last = said.trim().split('\n').slice(-TOLD_LINES).join('\n')
  throw new WeirError('retryable', `${program} could not make a server's data in ${cwd}: ${last}`)
}
