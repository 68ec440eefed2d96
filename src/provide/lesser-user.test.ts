import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { lesserUser } from './lesser-user.ts'

const isRoot = process.getuid?.() === 0

test(
  'whoever is not root runs PostgreSQL as they are',
  {
    skip: isRoot && 'optional: this is root',
  },
  () => {
    assert.equal(lesserUser(['/nowhere'], '/nowhere'), undefined)
  },
)

test(
  'root runs PostgreSQL as a user who passes where everybody may, or is given passage',
  {
    skip: !isRoot && 'optional: only root can try it',
  },
  t => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-user-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const inner = join(folder, 'inner')
    mkdirSync(inner)
    chmodSync(folder, 0o711)
    const open = lesserUser([`${inner}/.`], join(folder, 'none'))!
    assert.notEqual(open.uid, 0)
    assert.deepEqual(open.prefix, [])

    chmodSync(folder, 0o700)
    const closed = lesserUser([`${inner}/.`], join(folder, 'none'))!
    const [program, ...args] = [...closed.prefix, 'sh', '-c', 'cd "$0" && id -u', inner]
    const { stdout } = spawnSync(program, args, { encoding: 'utf8' })
    assert.equal(stdout.trim(), String(open.uid))

    // Data that are there already say whose they are.
    chownSync(inner, 54_321, 54_321)
    assert.deepEqual(lesserUser(['/tmp'], inner), { uid: 54_321, gid: 54_321, prefix: [] })
  },
)
