import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/**
 * Makes a child end with this process, however that ends: a shell sends it the signal when the pipe
 * to here is closed, which the kernel does (docs/decisions/0020).
 */
export function guardProcess(child: ChildProcess, signal: NodeJS.Signals): void {
  const script = `read -r _ || kill -s ${signal.slice(3)} ${child.pid}`
  const shell = spawn('/bin/sh', ['-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  })
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  shell.unref()
  void once(child, 'exit').then(() => shell.stdin.end('done\n'))
}
