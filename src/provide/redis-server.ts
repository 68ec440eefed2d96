import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WeirError } from '../ports/errors.ts'
import { askPort } from './ask-port.ts'
import { findProgram, programVersion } from './find-program.ts'
import { ownSecret } from './own-secret.ts'
import type { ProvidedServer, ProvideOptions, ServerKind } from './provided-server.ts'
import { runServer } from './server-process.ts'

const SECOND = 1000
const MAX_MEMORY = '256mb'

/**
 * Starts the `redis-server` of this machine as a cache: nothing is written to disk, and what is
 * used least goes when its memory is full.
 *
 * @throws WeirError `config` when there is none; and as `runServer`.
 */
export async function provideRedis(options: ProvideOptions): Promise<ProvidedServer> {
  return runServer(redisKind(options.directory), options)
}

export function redisKind(directory: string): ServerKind {
  const program = findProgram('redis-server')
  if (program === undefined) {
    const message =
      'there is no redis-server on this machine: install Redis (Debian: apt-get install ' +
      'redis-server; macOS: brew install redis), or give the address of one with redis.url'
    throw new WeirError('config', message)
  }
  return {
    name: 'Redis',
    title: `Redis ${programVersion(program, '--version') ?? ''}`.trim(),
    ...{ stopSignal: 'SIGTERM', stopWithinMs: 10 * SECOND, readyWithinMs: 60 * SECOND },
    async command(port) {
      const file = join(directory, 'redis.conf')
      writeFileSync(file, settings(directory, port), { mode: 0o600 })
      return { program, args: [file] }
    },
    async isReady(port) {
      const hello = `AUTH ${ownSecret(directory)}\r\nPING\r\n`
      // The password is its own: no other server at this port takes it.
      const answer = await askPort(port, hello, text => /PONG|-/.test(text.toString()))
      return answer?.toString() === '+OK\r\n+PONG\r\n'
    },
    address: port => `redis://:${ownSecret(directory)}@127.0.0.1:${port}`,
  }
}

function settings(directory: string, port: number): string {
  return [
    ...[`port ${port}`, 'bind 127.0.0.1', `requirepass ${ownSecret(directory)}`],
    ...[`dir ${JSON.stringify(directory)}`, 'save ""', 'appendonly no'],
    ...[`maxmemory ${MAX_MEMORY}`, 'maxmemory-policy allkeys-lru', 'daemonize no'],
    '',
  ].join('\n')
}
