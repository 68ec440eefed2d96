// `npm run lab [-- run|ramp|report … OPTION…]`: gets the servers that the topologies need onto this
// machine, where that is possible, then runs `weir lab …`. Without an action, or with options only,
// it is `run`; alone it is `run --quick`.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { root } from './root.ts'
import { SERVERS, type ServerName } from './test-servers.ts'

const given = process.argv.slice(2)
const args =
  given.length === 0
    ? ['run', '--quick']
    : given[0].startsWith('--') && given[0] !== '--help'
      ? ['run', ...given]
      : given

// What is missing in spite of this has its reason in the report.
if (startsSystems(args)) {
  for (const name of ['redis', 'kafka'] satisfies ServerName[]) SERVERS[name].get()
}

const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), 'lab', ...args], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => child.kill(signal))
}
child.on('exit', (code, signal) => {
  process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal])
})

function startsSystems([action, ...rest]: readonly string[]): boolean {
  if (rest.some(arg => arg === '--help' || arg === '--url' || arg.startsWith('--url=')))
    return false
  return action === 'run' || action === 'ramp'
}
