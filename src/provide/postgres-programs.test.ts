import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { packagedPostgres } from './postgres-programs.ts'

test('the links that npm does not keep are made beside the data, and only when they are missing', t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-postgres-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const native = join(folder, 'package/native')
  const libraries = join(folder, 'lib')
  mkdirSync(join(native, 'bin'), { recursive: true })
  mkdirSync(join(native, 'lib'))
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links))
  writeFileSync(join(native, 'lib/libpq.so.5.18'), '')
  // Runs only with the path to the links, as the real one does.
  const script = '#!/bin/sh\ntest -n "$LD_LIBRARY_PATH$DYLD_LIBRARY_PATH" && echo 18.4\n'
  for (const name of ['initdb', 'postgres']) writeFileSync(join(native, 'bin', name), script)
  const found = packagedPostgres(native, libraries)
  assert.deepEqual([found?.version, found?.hasStatements], ['18.4', false])
  assert.deepEqual(Object.values(found?.env ?? {}), [libraries])
  assert.equal(readlinkSync(join(libraries, 'libpq.so.5')), join(native, 'lib/libpq.so.5.18'))

  // Another process may look for the programs while the server runs on what is there.
  rmSync(join(libraries, 'libpq.so.5'))
  for (const name of ['libpq.so.5', 'libpq.so.5.17']) symlinkSync('/old', join(libraries, name))
  packagedPostgres(native, libraries)
  assert.deepEqual(
    readdirSync(libraries).map(name => [name, readlinkSync(join(libraries, name))]),
    [
      ['libpq.so.5', join(native, 'lib/libpq.so.5.18')],
      ['libpq.so.5.17', '/old'],
      ['libpq.so.5.18', join(native, 'lib/libpq.so.5.18')],
    ],
  )

  rmSync(libraries, { recursive: true })
  writeFileSync(join(native, 'lib/libpq.so.5'), '')
  writeFileSync(join(native, 'bin/postgres'), '#!/bin/sh\necho 18.4\n')
  chmodSync(join(native, 'bin/postgres'), 0o755)
  assert.deepEqual(packagedPostgres(native, libraries)?.env, {})
  assert.ok(!existsSync(libraries))

  writeFileSync(join(native, 'bin/postgres'), '#!/nowhere/ld-linux.so\n')
  assert.equal(packagedPostgres(native, libraries), undefined)
})
