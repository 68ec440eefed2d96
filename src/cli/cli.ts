import { suggestion } from '../config/suggestion.ts'
import type { CommandIo } from './command.ts'
import { commands } from './commands.ts'
import { exitCode } from './exit-code.ts'
import { commandHelp, overview } from './help.ts'
import { version } from '../compose/version.ts'

/** Runs a command line (without the program's name); resolves with the exit code. */
export async function cli(args: readonly string[], io: CommandIo): Promise<number> {
  const [first, ...rest] = args
  if (first === undefined || first === '--help' || first === '-h') {
    io.stdout.write(overview(version))
    return exitCode(first === undefined ? 'usage' : 'ok')
  }
  if (first === '--version' || first === '-v') {
    io.stdout.write(`${version}\n`)
    return exitCode('ok')
  }
  // `weir help up` is what half of the people type.
  const asksHelp = first === 'help'
  const name = asksHelp ? (rest[0] ?? '') : first
  if (asksHelp && name === '') {
    io.stdout.write(overview(version))
    return exitCode('ok')
  }
  const command = commands.find(known => known.name === name)
  if (command === undefined) {
    const names = commands.map(known => known.name)
    const meant = suggestion(name, names)
    const hint = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`
    io.stderr.write(`weir: no such command: ${name} (${hint})\n`)
    return exitCode('usage')
  }
  if (asksHelp || rest.some(arg => arg === '--help' || arg === '-h')) {
    io.stdout.write(await commandHelp(command))
    return exitCode('ok')
  }
  return command.run(rest, io)
}
