import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { serversNeeded } from '../scripts/test-servers.ts'

test('npm test starts what test files import of the fixture, directly or not', t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-needed-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const write = (path: string, text: string): string => {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    return file
  }
  const fixture = '../test/fixtures/servers.ts'
  write('test/fixtures/servers.ts', 'export const kafkaServer = 1, ownNats = 2')
  write('test/fixtures/database.ts', "import { postgresServer } from './servers.ts'")
  const files = [
    write('src/direct.test.ts', `import {\n  redisServer,\n  type OwnServer,\n} from '${fixture}'`),
    write('src/through.test.ts', "import { database } from '../test/fixtures/database.ts'"),
    write('src/own.test.ts', `import { ownNats, redisServer as one } from '${fixture}'`),
    write('src/none.test.ts', "import { kafkaServer } from './elsewhere.ts'"),
  ]
  const needed = (i: number) => serversNeeded([files[i]])
  assert.deepEqual(needed(0), { shared: ['redis'], own: [] })
  assert.deepEqual(needed(1), { shared: ['postgres'], own: [] })
  assert.deepEqual(needed(2), { shared: ['redis'], own: ['nats'] })
  assert.deepEqual(needed(3), { shared: [], own: [] })
  assert.deepEqual(serversNeeded(files), { shared: ['postgres', 'redis'], own: ['nats'] })
})
