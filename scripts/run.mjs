// Runs a command of this repository on the Node it needs, whatever Node started it: makes sure
// that the dependencies are there, then hands over. Plain JavaScript, for any Node from 18 on,
// because at this point nothing may be installed yet.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const windows = process.platform === 'win32'

const COMMANDS = {
  start: ['src/cli/main.ts', 'up'],
  weir: ['src/cli/main.ts'],
  test: ['scripts/test.ts'],
  check: ['scripts/check.ts'],
  bench: ['bench/main.ts'],
  lab: ['scripts/lab.ts'],
  format: ['node_modules/prettier/bin/prettier.cjs', '--write', '.'],
  reference: ['scripts/reference.ts'],
  build: ['scripts/build.ts'],
  servers: ['scripts/servers.ts'],
}

const [name = '', ...rest] = process.argv.slice(2)
const command = COMMANDS[name]
if (command === undefined) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(COMMANDS).join('|')} [ARGUMENT…]`)
  process.exit(2)
}

if (!isInstalled()) install()
handOver(findNode(), [join(root, command[0]), ...command.slice(1), ...rest])

/** Whether node_modules holds what package-lock.json asks for, by npm's own record of it. */
function isInstalled() {
  const wanted = readPackages(join(root, 'package-lock.json'))
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'))
  if (wanted === undefined || present === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    // Packages for other platforms are in the lock and never here.
    if (path === '' || entry.optional || entry.peer) return true
    return present[path] !== undefined && present[path].version === entry.version
  })
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

function install() {
  console.error('Installing dependencies …')
  const options = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  // Under `npm start` npm says where it is; else the one on the path has to do.
  const [program, args] =
    npm !== undefined && /npm-cli\.c?js$/.test(npm)
      ? [process.execPath, [npm, ...options]]
      : [windows ? 'npm.cmd' : 'npm', options]
  // Standard output belongs to the command that follows.
  const stdio = ['ignore', process.stderr, process.stderr]
  const { status, error } = spawnSync(program, args, { cwd: root, stdio, shell: windows })
  if (status !== 0) {
    console.error(`npm ci failed${error === undefined ? '' : `: ${error.message}`}`)
    process.exit(1)
  }
}

function findNode() {
  const own = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')
  if (existsSync(own)) return own
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  console.error(
    `Weir needs Node 24 or later; this is ${process.version}, and the npm package "node" that ` +
      'brings one was not set up. Allow install scripts (npm config set ignore-scripts false), ' +
      'remove node_modules and run this again, or install Node 24.',
  )
  process.exit(1)
}

function handOver(node, args) {
  // Tools that start `node` by name (npm's own binaries do) get the same one.
  const PATH = [dirname(node), process.env.PATH].filter(Boolean).join(windows ? ';' : ':')
  const env = { ...process.env, PATH }
  const child = spawn(node, args, { stdio: 'inherit', env })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  // Killed with SIGKILL, npm cannot pass anything on; what it started must not outlive it unseen.
  if (process.env.npm_lifecycle_event !== undefined) {
    const npm = process.ppid
    const watch = setInterval(() => process.ppid === npm || child.kill('SIGTERM'), 250)
    watch.unref()
  }
  child.on('error', error => {
    console.error(`${node}: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal])
  })
}
