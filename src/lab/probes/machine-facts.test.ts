import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Solution } from '../system/solution.ts'
import { machineFacts } from './machine-facts.ts'

test('the facts of a machine have the disk, the code, and what is compared, without secrets', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-facts-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const own = join(directory, 'own.yaml')
  const login = 'postgres://weir:hunter2@127.0.0.1:1/weir'
  writeFileSync(
    own,
    `extends: tune\npostgres:\n  url: ${login}\n  # url: ${login}\n  poolSize: 7\n`,
  )
  // What does not run has no place in the record.
  const wrong = join(directory, 'wrong.yaml')
  writeFileSync(wrong, 'extends: tune\npostgres:\n  passwort: hunter2\n')
  const solution = (id: string, topology: string): Solution => ({
    ...{ id, topology, flags: [], summary: '' },
  })
  const solutions = [
    ...[solution('embedded', 'embedded'), solution('own', own)],
    ...[solution('wrong', wrong), solution('no', 'none')],
  ]
  const facts = await machineFacts({ directory, solutions })
  assert.ok(facts.fsyncP50Ms > 0 && facts.fsyncP99Ms >= facts.fsyncP50Ms)
  assert.ok(facts.cores >= 1 && facts.memoryBytes > 0)
  assert.equal(facts.node, process.version)
  assert.match(facts.commit, /^[0-9a-f]{40}( with changes)?$|^version \d/)
  assert.deepEqual(Object.keys(facts.topologies).sort(), [
    ...['baseline.yaml', 'embedded.yaml', 'own.yaml', 'tune.yaml'],
  ])
  assert.deepEqual(facts.servers, ['PostgreSQL at 127.0.0.1:1/weir'])
  assert.ok(!JSON.stringify(facts).includes('hunter2'))
  assert.equal(
    facts.topologies['own.yaml'],
    'extends: tune\npostgres:\n  url: (secret)\n  poolSize: 7\n',
  )
  assert.deepEqual(readdirSync(directory), ['own.yaml', 'wrong.yaml'])
})
