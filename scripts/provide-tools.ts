import { spawnSync } from 'node:child_process'
import { findProgram } from '../src/provide/find-program.ts'

/** Programs that tests run, and the Debian packages that bring each. */
const TOOLS = [
  { program: 'mosquitto_pub', debian: ['mosquitto-clients'] },
  { program: 'mosquitto', debian: ['mosquitto'] },
  { program: 'openssl', debian: ['openssl'] },
  { program: 'curl', debian: ['curl'] },
  { program: 'prlimit', debian: ['util-linux'] },
  { program: 'cc', debian: ['gcc', 'libc6-dev'] },
  { program: 'psql', debian: ['postgresql-client'] },
  { program: 'redis-cli', debian: ['redis-tools'] },
  { program: 'redis-server', debian: ['redis-server'] },
  { program: 'nats-server', debian: ['nats-server'] },
  { program: 'java', debian: ['default-jre-headless'] },
  { program: 'mvn', debian: ['maven'] },
]

/** The programs that test sources name, as a text of their own. */
export function toolsNamed(sources: readonly string[]): string[] {
  return TOOLS.map(({ program }) => program).filter(program =>
    sources.some(source => new RegExp(`['"\`]${program}['"\`]`).test(source)),
  )
}

/**
 * Installs those of the programs that the machine lacks, where it may (apt-get, root). Elsewhere
 * the tests that need them skip and say why.
 */
export function provideTools(programs: readonly string[]): void {
  const missing = TOOLS.filter(
    ({ program }) => programs.includes(program) && findProgram(program) === undefined,
  )
  if (missing.length === 0) return
  const names = missing.map(({ program }) => program).join(', ')
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined) {
    console.error(`Not installed, and only root with apt-get could: ${names}.`)
    return
  }
  const packages = missing.flatMap(({ debian }) => debian)
  console.error(`Installing ${packages.join(', ')} for the tests …`)
  const install = ['install', '-y', '--no-install-recommends', ...packages]
  // The package lists of a fresh machine are often empty or old.
  if (!aptGet(install)) {
    aptGet(['update'])
    if (!aptGet(install)) console.error(`apt-get could not install ${packages.join(', ')}.`)
  }
}

function aptGet(args: readonly string[]): boolean {
  // In single-user mode no service is started; tests start their own, at other ports.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  return spawnSync('apt-get', ['-qq', ...args], { env, stdio: 'ignore' }).status === 0
}
