import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WeirError } from '../ports/errors.ts'
import { askPort } from './ask-port.ts'
import { findProgram, programVersion } from './find-program.ts'
import { ownSecret } from './own-secret.ts'
import type { ProvidedServer, ProvideOptions, ServerKind } from './provided-server.ts'
import { runServer } from './server-process.ts'

const SECOND = 1000
const USER = 'weir'
/** Since which `sync_interval: always` is known. */
const SYNCS_ALWAYS = [2, 10]

/**
 * Starts the `nats-server` of this machine with JetStream, its streams in the server's folder.
 *
 * @throws WeirError `config` when there is none; and as `runServer`.
 */
export async function provideNats(options: ProvideOptions): Promise<ProvidedServer> {
  return runServer(natsKind(options.directory), options)
}

export function natsKind(directory: string): ServerKind {
  const program = findProgram('nats-server')
  if (program === undefined) {
    const message =
      'there is no nats-server on this machine: install it (https://nats.io/download; Debian: ' +
      'apt-get install nats-server), or give the addresses of some with nats.servers'
    throw new WeirError('config', message)
  }
  const version = programVersion(program, '--version') ?? '0.0'
  const note = syncsAlways(version)
    ? {}
    : { note: 'before 2.10 it syncs to disk only now and then: a power cut may lose points' }
  return {
    name: 'NATS',
    title: `NATS ${version}`,
    ...note,
    ...{ stopSignal: 'SIGTERM', stopWithinMs: 20 * SECOND, readyWithinMs: 120 * SECOND },
    async command(port) {
      const file = join(directory, 'nats.conf')
      const text = settings(directory, { port, isSynced: syncsAlways(version) })
      writeFileSync(file, text, { mode: 0o600 })
      return { program, args: ['-c', file] }
    },
    async isReady(port) {
      const login = { user: USER, pass: ownSecret(directory), verbose: false, pedantic: false }
      const hello = `CONNECT ${JSON.stringify(login)}\r\nPING\r\n`
      // The password is its own: no other server at this port takes it.
      const answer = await askPort(port, hello, text => /\r\n(PONG|-ERR)/.test(text.toString()))
      return /"jetstream":true.*\r\nPONG/s.test(answer?.toString() ?? '')
    },
    address: port => `nats://${USER}:${ownSecret(directory)}@127.0.0.1:${port}`,
  }
}

export function syncsAlways(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > SYNCS_ALWAYS[0] || (major === SYNCS_ALWAYS[0] && minor >= SYNCS_ALWAYS[1])
}

interface Settings {
  readonly port: number
  readonly isSynced: boolean
}

function settings(directory: string, { port, isSynced }: Settings): string {
  return [
    `listen: "127.0.0.1:${port}"`,
    `authorization { user: ${USER}, password: ${JSON.stringify(ownSecret(directory))} }`,
    'max_payload: 8MB',
    'jetstream {',
    `  store_dir: ${JSON.stringify(join(directory, 'streams'))}`,
    ...(isSynced ? ['  sync_interval: always'] : []),
    '}',
    '',
  ].join('\n')
}
