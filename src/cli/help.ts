import type { Command, CommandOption } from './command.ts'
import { commands, MAIN_OPTIONS } from './commands.ts'

const written = ({ flag, value }: CommandOption): string =>
  value === undefined ? `--${flag}` : `--${flag} ${value}`

export function optionsOf(command: Command): readonly CommandOption[] {
  return command.isConfigurable ? [...command.options, ...MAIN_OPTIONS] : command.options
}

export function overview(version: string): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)} ${summary}`)
  return [
    `Weir ${version}: an IoT telemetry platform that measures itself`,
    '',
    'usage: weir COMMAND [OPTION…]',
    '',
    ...lines,
    '',
    '  weir COMMAND --help   its options',
    '  weir --version',
    '',
  ].join('\n')
}

export async function commandHelp(command: Command): Promise<string> {
  if (command.help !== undefined) return command.help()
  const options = optionsOf(command)
  const width = Math.max(...options.map(option => written(option).length))
  const lines = options.map(option => `  ${written(option).padEnd(width)}  ${option.meaning}`)
  return [
    `weir ${command.name} [OPTION…]`,
    command.summary,
    '',
    ...lines,
    '',
    ...(command.isConfigurable ? CONFIGURABLE : []),
  ].join('\n')
}

const CONFIGURABLE = [
  'Every option of the configuration is a flag (--ingest.maxBodyBytes=64MB), an environment variable',
  '(WEIR_INGEST_MAX_BODY_BYTES) and a key of the configuration file. A flag beats a variable beats the',
  'file. All of them: docs/reference/configuration.md, and `weir check --json` prints what is in force.',
  '',
]
