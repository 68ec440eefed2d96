import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { lesserUser, type LesserUser } from './lesser-user.ts'
import { ownSecret } from './own-secret.ts'
import { postgresPrograms, type PostgresPrograms } from './postgres-programs.ts'
import type {
  ProvidedServer,
  ProvideOptions,
  ServerCommand,
  ServerKind,
} from './provided-server.ts'
import { runOnce } from './run-once.ts'
import { runServer } from './server-process.ts'

const SECOND = 1000
/** The user, who may do everything there, and the database. */
const NAME = 'weir'

const SETTINGS: Readonly<Record<string, string | number>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // What it says it has committed is on disk.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: 200,
  shared_buffers: '256MB',
  // Bulk writes fill the 1 GB of the default within seconds, and each checkpoint writes pages anew.
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  // Queries here take milliseconds, which compiling them takes too.
  jit: 'off',
  log_checkpoints: 'off',
  // Whoever sent a statement is told its error. A repeated key is one, and the file is bounded at starts only.
  log_min_messages: 'log',
}

/**
 * Starts a durable PostgreSQL with its data in the server's folder.
 *
 * @throws WeirError `config` when there is none, or root may not run it; and as `runServer`.
 */
export async function providePostgres(options: ProvideOptions): Promise<ProvidedServer> {
  return runServer(postgresKind(options.directory), options)
}

export function postgresKind(directory: string): ServerKind {
  const programs = postgresPrograms(join(directory, 'lib'))
  const data = join(directory, 'data')
  return {
    name: 'PostgreSQL',
    title: `PostgreSQL ${programs.version}`.trim(),
    // Fast: open transactions are rolled back.
    ...{ stopSignal: 'SIGINT', stopWithinMs: 20 * SECOND, readyWithinMs: 600 * SECOND },
    async command(port) {
      const folders = [directory, ...Object.values(programs.env)]
      const paths = [programs.postgres, ...folders.map(folder => `${folder}/.`)]
      const user = lesserUser(paths, data)
      if (!existsSync(data)) await create(directory, programs, user)
      const preload = programs.hasStatements
        ? { shared_preload_libraries: 'pg_stat_statements' }
        : {}
      const settings = Object.entries({ ...SETTINGS, ...preload, port })
      const args = ['-D', data, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])]
      return asUser(user, { program: programs.postgres, args, env: programs.env })
    },
    isReady: async (port, pid) => isReady(join(data, 'postmaster.pid'), port, pid),
    // Backends of one that was killed may be there for a moment yet.
    isPassing: output => /pre-existing shared memory block/.test(output),
    address: port => `postgres://${NAME}:${ownSecret(directory)}@127.0.0.1:${port}/${NAME}`,
  }
}

/** As `pg_ctl` sees it: the pid is the first line, the port the fourth, the state the eighth. */
function isReady(file: string, port: number, pid: number): boolean {
  if (!existsSync(file)) return false
  const lines = readFileSync(file, 'utf8').split('\n')
  const [owner, , , at] = lines
  return Number(owner) === pid && Number(at) === port && lines[7]?.trim() === 'ready'
}

async function create(
  directory: string,
  { initdb, postgres, env }: PostgresPrograms,
  user: LesserUser | undefined,
): Promise<void> {
  // It gets its name when it is whole, should this process be killed meanwhile.
  const data = join(directory, 'data.new')
  rmSync(data, { recursive: true, force: true })
  mkdirSync(data, { mode: 0o700 })
  if (user !== undefined) chownSync(data, user.uid, user.gid)
  const run = (program: string, args: readonly string[], input = ''): Promise<void> =>
    runOnce(asUser(user, { program, args, env }), { cwd: directory, input })
  await run(initdb, ['-D', data, '-U', NAME, '--auth=trust', '--encoding=UTF8', '--locale=C'])
  const statements = `ALTER USER ${NAME} PASSWORD '${ownSecret(directory)}'\nCREATE DATABASE ${NAME}\n`
  await run(postgres, ['--single', '-D', data, 'postgres'], statements)
  writeFileSync(join(data, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n')
  renameSync(data, join(directory, 'data'))
}

function asUser(user: LesserUser | undefined, command: ServerCommand): ServerCommand {
  if (user === undefined) return command
  const [first, ...rest] = user.prefix
  if (first === undefined) return { ...command, user: { uid: user.uid, gid: user.gid } }
  return { ...command, program: first, args: [...rest, command.program, ...command.args] }
}
