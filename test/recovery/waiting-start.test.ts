import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { freePort, lastFirst } from '../fixtures/weir-process.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

/** With a server at `port` that ends every connection; the other one is not there either. */
const STARTS: readonly [name: string, args: (port: number) => readonly string[]][] = [
  ['tune', port => ['--topology=tune', `--postgres.url=postgres://w@127.0.0.1:${port}/w`]],
  ['scale', port => ['--topology=scale', `--postgres.url=postgres://w@127.0.0.1:${port}/w`]],
  [
    'a gateway',
    port => [
      ...['--topology=queue', '--role=gateway', `--kafka.brokers=127.0.0.1:${port}`],
      `--postgres.url=postgres://w@127.0.0.1:${port}/w`,
    ],
  ],
]

suite('a start that waits for its servers', { concurrency: true }, () => {
  for (const [name, argsFor] of STARTS) {
    test(
      `${name} ends at a signal, without having started`,
      { timeout: 240_000 },
      async context => {
        const t = lastFirst(context)
        const data = mkdtempSync(join(tmpdir(), 'weir-waiting-'))
        t.after(() => rmSync(data, { recursive: true, force: true }))
        const server = createServer(socket => socket.destroy())
        await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
        t.after(() => void server.close())
        const { port } = server.address() as AddressInfo
        const places = ['--data', data, '--http', `127.0.0.1:${await freePort()}`]
        const patience = ['--mqtt', `127.0.0.1:${await freePort()}`, '--startTimeoutMs=60m']
        const asked = once(server, 'connection')
        const child = spawn(
          process.execPath,
          [MAIN, 'up', ...places, ...patience, ...argsFor(port)],
          { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] },
        )
        t.after(() => void child.kill('SIGKILL'))
        let printed = ''
        for (const stream of [child.stdout, child.stderr]) {
          stream.on('data', chunk => (printed += String(chunk)))
        }
        await asked
        child.kill('SIGTERM')
        assert.deepEqual(await once(child, 'close'), [0, null], printed)
        assert.match(printed, /SIGTERM: the start is given up/)
      },
    )
  }
})
