import { spawnSync } from 'node:child_process'

/** Programs that some tests run, and the Debian package that brings each. */
const TOOLS = [
  { program: 'mosquitto_pub', debian: ['mosquitto-clients'] },
  { program: 'mosquitto', debian: ['mosquitto'] },
  { program: 'openssl', debian: ['openssl'] },
  { program: 'curl', debian: ['curl'] },
  { program: 'cc', debian: ['gcc', 'libc6-dev'] },
]

/**
 * Installs what the given test sources mention and the machine lacks, where it may (apt-get, root).
 * Elsewhere the tests that need it skip and say why.
 */
export function provideTools(sources: readonly string[]): void {
  const missing = TOOLS.filter(
    ({ program }) =>
      sources.some(source => new RegExp(`['"\`]${program}['"\`]`).test(source)) &&
      !isThere(program),
  )
  if (missing.length === 0) return
  const names = missing.map(({ program }) => program).join(', ')
  if (process.getuid?.() !== 0 || !isThere('apt-get')) {
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

function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

function aptGet(args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync('apt-get', ['-qq', ...args], { env, stdio: 'ignore' }).status === 0
}
