import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { commandHelp } from '../src/cli/help.ts'
import { commands } from '../src/cli/commands.ts'
import { EXIT_CODES } from '../src/cli/exit-code.ts'
import { options, rootNode } from '../src/config/option.ts'
import type { Option, SchemaNode } from '../src/config/option.ts'
import { formatQuantity } from '../src/config/units.ts'
import { root } from './root.ts'

const NOTE = '<!-- Made by `npm run reference`. Change the source, not this file. -->'

/** The pages of docs/reference that are made from the code: path and text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const pages = new Map<string, string>()
  const texts = { 'configuration.md': configurationPage(), 'cli.md': await cliPage() }
  const style = await resolveConfig(join(root, 'docs/reference/configuration.md'))
  for (const [name, text] of Object.entries(texts)) {
    pages.set(`docs/reference/${name}`, await format(text, { ...style, parser: 'markdown' }))
  }
  return pages
}

function configurationPage(): string {
  const sections = Object.entries(rootNode.properties ?? {}).filter(([, node]) => node.properties)
  const general = options.filter(({ path }) => !path.includes('.'))
  return [
    '# Configuration',
    NOTE,
    'Every option can be given as a flag (`--ingest.maxBodyBytes=32MB` or `--ingest-max-body-bytes 32MB`),' +
      ' as an environment variable (`WEIR_INGEST_MAX_BODY_BYTES=32MB`) and in a configuration file.' +
      ' A flag beats a variable beats the file beats the default. What is not known is refused, and' +
      ' all problems are reported at once. `weir check` says what would be in force and why.',
    'A file is named by `--topology FILE` or `WEIR_TOPOLOGY`; without either it is' +
      ' [`embedded`](../../topologies/embedded.yaml). Its first key may be `extends`, with the name or' +
      ' path of another whose values it overrides:',
    '```yaml\nextends: embedded\nhttp:\n  address: 127.0.0.1:9000\nstore:\n  headBytes: 64MB\n```',
    'Sizes are bytes or carry `KB`, `MB`, `GB`, `TB` (powers of 1024); durations are milliseconds or' +
      ' carry `ms`, `s`, `m`, `h`, `d`. `--http` and `--mqtt` (`WEIR_HTTP`, `WEIR_MQTT`) are short for' +
      ' `http.address` and `mqtt.address`. Lists are given to flags and variables as JSON.',
    '## General',
    optionTable(general),
    ...sections.flatMap(([name, node]) => [
      `## ${name}`,
      node.description ?? '',
      optionTable(options.filter(({ path }) => path.startsWith(`${name}.`))),
      ...listItems(name),
    ]),
  ].join('\n\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heads, heads.map(() => '---'), ...rows]
    .map(row => `| ${row.map(cell).join(' | ')} |`)
    .join('\n')
}

function optionTable(rows: readonly Option[]): string {
  const heads = ['Option', 'Variable', 'Value', 'Default', 'Meaning']
  return table(
    heads,
    rows.map(({ path, variables, node }) => [
      `\`${path}\``,
      variables.map(name => `\`${name}\``).join(', '),
      kindOf(node),
      node.default === '' ? '' : `\`${defaultOf(node)}\``,
      node.description ?? '',
    ]),
  )
}

function kindOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map(name => `\`${name}\``).join(', ')
  if (node.format === 'address') return 'HOST:PORT'
  if (node.type === 'boolean') return '`true`, `false`'
  if (node.type === 'array') return 'list'
  if (node.type !== 'integer' && node.type !== 'number') return 'text'
  const { minimum = 0, maximum, unit } = node
  const most = maximum === undefined ? '' : `, at most ${maximum}`
  if (node.type === 'number') return `number, at least ${minimum}${most}`
  if (unit === undefined) return `whole number, at least ${minimum}${most}`
  const kind = unit === 'bytes' ? 'size' : 'duration'
  return `${kind}, at least ${minimum === 0 ? '0' : formatQuantity(minimum, unit)}`
}

function defaultOf({ default: value, unit }: SchemaNode): string {
  if (typeof value === 'number') {
    return unit === undefined || value === 0 ? String(value) : formatQuantity(value, unit)
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function listItems(section: string): string[] {
  const lists = options.filter(
    ({ path, node }) => path.startsWith(`${section}.`) && node.items?.properties,
  )
  return lists.map(({ path, node }) => {
    const rows = itemKeys(node.items ?? {}, '')
    return `Each item of \`${path}\`:\n\n${table(['Key', 'Default', 'Meaning'], rows)}`
  })
}

/** The keys of a list's items, those of sections and lists within them too. */
function itemKeys(item: SchemaNode, prefix: string): string[][] {
  return Object.entries(item.properties ?? {}).flatMap(([name, node]) => {
    const path = `${prefix}${name}`
    if (node.type === 'object') return itemKeys(node, `${path}.`)
    const isRequired = item.required?.includes(name) === true && node.default === undefined
    const absent = isRequired ? 'required' : 'none'
    const standard = node.default === undefined ? absent : `\`${defaultOf(node)}\``
    const row = [`\`${path}\``, standard, node.description ?? '']
    return [row, ...itemKeys(node.items ?? {}, `${path}[].`)]
  })
}

async function cliPage(): Promise<string> {
  const helps = await Promise.all(
    commands.map(async command => {
      const text = await commandHelp(command)
      return `## weir ${command.name}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\``
    }),
  )
  const codes = Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning])
  const interrupted = ['130, 143, 129', 'A second SIGINT, SIGTERM or SIGHUP ended it at once.']
  return [
    '# Command line',
    NOTE,
    'From the sources: `npm start -- OPTION…` is `weir up`, `npm run weir -- COMMAND` is any command.',
    ...helps,
    '## Exit codes',
    table(['Code', 'Meaning'], [...codes, interrupted]),
    '## Signals',
    'SIGTERM, SIGINT and SIGHUP stop a node: it takes nothing more in, commits what it has and exits' +
      ' with 0. It may take `shutdownTimeoutMs`. A second signal ends it at once; what was' +
      ' acknowledged is in the log and is replayed at the next start.',
  ].join('\n\n')
}
