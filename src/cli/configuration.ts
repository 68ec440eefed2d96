import { loadConfig } from '../config/load.ts'
import type { ConfigOutcome } from '../config/load.ts'
import type { Arguments } from './arguments.ts'
import type { CommandIo } from './command.ts'

/** The configuration that a command line and its surroundings give, or everything wrong with both. */
export function readConfiguration(args: Arguments, io: CommandIo): ConfigOutcome {
  const topology = args.own.get('topology')
  const outcome = loadConfig({
    flags: args.configuration,
    env: io.env,
    cwd: io.cwd,
    ...(typeof topology === 'string' ? { topology } : {}),
  })
  if (args.problems.length === 0) return outcome
  return { problems: [...args.problems, ...('problems' in outcome ? outcome.problems : [])] }
}
