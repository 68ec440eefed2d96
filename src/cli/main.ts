#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { exitCode } from './exit-code.ts'

// A third of a start is compiling: from the second one on it is read back.
enableCompileCache()
const { cli } = await import('./cli.ts')

let code: number
try {
  code = await cli(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
  })
} catch (error) {
  console.error(error)
  code = exitCode('unexpected')
}
// A handle that something left open must not keep a finished command alive.
process.exit(code)
