import { findFlag, flagNames } from '../config/layer.ts'
import type { FlagGiven } from '../config/layer.ts'
import type { Problem } from '../config/problem.ts'
import { suggestion } from '../config/suggestion.ts'
import type { Command } from './command.ts'
import { optionsOf } from './help.ts'

export interface Arguments {
  /** The command's own options: the value, or true where it takes none. */
  readonly own: ReadonlyMap<string, string | true>
  /** Flags that are configuration. */
  readonly configuration: readonly FlagGiven[]
  readonly problems: readonly Problem[]
}

/** Reads the command line as `command` defines it; every problem of it, not only the first. */
export function readArguments(command: Command, args: readonly string[]): Arguments {
  const takesValue = new Map(
    optionsOf(command).map(({ flag, value }) => [flag, value !== undefined]),
  )
  if (command.isConfigurable) {
    for (const flag of flagNames()) takesValue.set(flag, findFlag(flag)?.node.type !== 'boolean')
  }
  const own = new Map<string, string | true>()
  const configuration: FlagGiven[] = []
  const problems: Problem[] = []
  for (const { written, name, value } of wordsOf(args, name => takesValue.get(name) === true)) {
    if (name === undefined) {
      problems.push({ path: '', source: written, message: 'stands alone; options begin with --' })
    } else if (!takesValue.has(name)) {
      problems.push(unknownFlag(written, name, takesValue.keys()))
    } else if (command.isConfigurable && findFlag(name) !== undefined) {
      configuration.push(value === undefined ? { flag: name } : { flag: name, value })
    } else if ((takesValue.get(name) === true) !== (value !== undefined)) {
      const message = value === undefined ? 'needs a value' : 'takes no value'
      problems.push({ path: '', source: `--${name}`, message })
    } else own.set(name, value ?? true)
  }
  return { own, configuration, problems }
}

interface Word {
  readonly written: string
  /** Absent: it is no option. */
  readonly name?: string
  readonly value?: string
}

// Not `parseArgs` of node:util: it takes the next option for a forgotten value, or throws at the
// first mistake, and here every mistake is to be listed.
function wordsOf(args: readonly string[], takesValue: (name: string) => boolean): Word[] {
  const words: Word[] = []
  for (let i = 0; i < args.length; i++) {
    const [, name, value] = /^--?([^=]+)(?:=(.*))?$/s.exec(args[i]) ?? []
    const written = value === undefined ? args[i] : args[i].slice(0, args[i].indexOf('='))
    if (name === undefined) words.push({ written })
    else if (value !== undefined) words.push({ written, name, value })
    else if (takesValue(name) && i + 1 < args.length && !args[i + 1].startsWith('--')) {
      words.push({ written, name, value: args[++i] })
    } else words.push({ written, name })
  }
  return words
}

function unknownFlag(written: string, name: string, known: Iterable<string>): Problem {
  const meant = suggestion(name, known)
  const problem = { path: '', source: written, message: 'no such option' }
  return meant === undefined ? problem : { ...problem, hint: `Did you mean --${meant}?` }
}
