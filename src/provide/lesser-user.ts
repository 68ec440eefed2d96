import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { WeirError } from '../ports/errors.ts'

/** Whom root runs PostgreSQL as, which refuses to be run by root. */
export interface LesserUser {
  readonly uid: number
  readonly gid: number
  /** Words to put before a command line, in place of spawning as the user; empty: spawn so. */
  readonly prefix: readonly string[]
}

/**
 * The owner of `data` when that is not root, else the user `postgres` or `nobody`. Where folders
 * on the way to `paths` are closed to it, it is given root's passage through them, as a capability.
 * Undefined where this process is not root's.
 *
 * @throws WeirError `config` when there is no such user, or it can be given no passage.
 */
export function lesserUser(paths: readonly string[], data: string): LesserUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const user = ownerOf(data) ?? knownUser()
  if (paths.every(path => passes(path, [], user))) return { ...user, prefix: [] }
  const capability = '+dac_override'
  const prefix = [
    ...['setpriv', '--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'],
    ...['--inh-caps', capability, '--ambient-caps', capability, '--'],
  ]
  const closed = paths.find(path => !passes(path, prefix))
  if (closed === undefined) return { ...user, prefix }
  const message =
    `PostgreSQL does not run as root, and the user that would run it (uid ${user.uid}) does not ` +
    `reach ${closed}: run Weir as another user, open the folders on the way, or give postgres.url`
  throw new WeirError('config', message)
}

type Ids = Pick<LesserUser, 'uid' | 'gid'>

function ownerOf(path: string): Ids | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined || found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid }
}

function knownUser(): Ids {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find(line => line.startsWith(`${name}:`))?.split(':')
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  const message =
    'PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody'
  throw new WeirError('config', `${message}: run Weir as another user, or give postgres.url`)
}

function passes(path: string, prefix: readonly string[], user?: Ids): boolean {
  // Not `test -x`: access(2), which it asks, leaves capabilities out.
  const [program, ...args] = [...prefix, 'ls', '-d', path]
  return spawnSync(program, args, { ...user, cwd: '/', stdio: 'ignore' }).status === 0
}
