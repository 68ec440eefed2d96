import { resolve } from 'node:path'
import { readFlags, readVariables } from './layer.ts'
import type { FlagGiven } from './layer.ts'
import { options, rootNode } from './option.ts'
import type { SchemaNode } from './option.ts'
import type { Problem } from './problem.ts'
import { ruleProblems } from './rules.ts'
import type { Config } from './schema.ts'
import { readTopology } from './topology.ts'
import { checkValue } from './value.ts'

export interface ConfigInput {
  /** Flags of the command line that are configuration; `findFlag` knows which are. */
  readonly flags: readonly FlagGiven[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative paths are relative to it. */
  readonly cwd: string
  /** A topology's name or a file's path; else `WEIR_TOPOLOGY`, else `embedded`. */
  readonly topology?: string
}

export interface LoadedConfig {
  readonly config: Config
  /** The configuration file that was read. */
  readonly file: string
  /** Who set an option: `--http`, `WEIR_HTTP`, `plant.yaml:12`. Defaults are not in it. */
  readonly sources: ReadonlyMap<string, string>
}

export type ConfigOutcome = LoadedConfig | { readonly problems: readonly Problem[] }

/** Merges flag over variable over file over default; reports every problem of all of them at once. */
export function loadConfig(input: ConfigInput): ConfigOutcome {
  const file = readTopology(topologyNamed(input))
  const layers = [file, readVariables(input.env), readFlags(input.flags)]
  const problems = layers.flatMap(layer => layer.problems)
  const values = new Map<string, unknown>()
  const sources = new Map<string, string>()
  const nodes = new Map(options.map(option => [option.path, option.node]))
  for (const given of layers.flatMap(layer => layer.given)) {
    const checked = checkValue(nodes.get(given.path) ?? {}, given)
    if ('problems' in checked) problems.push(...checked.problems)
    else values.set(given.path, checked.value)
    sources.set(given.path, given.source)
  }
  const config = build(rootNode, '', values) as Config
  const complete = deepFreeze({ ...config, data: resolve(input.cwd, config.data) })
  // A value that is wrong in itself stands here as its default, so the rules still make sense.
  problems.push(...ruleProblems(complete, sources))
  if (problems.length > 0) return { problems }
  return { config: complete, file: file.file ?? '', sources }
}

function topologyNamed(input: ConfigInput): { name: string; source: string; cwd: string } {
  const { cwd, topology, env } = input
  if (topology !== undefined) return { name: topology, source: '--topology', cwd }
  const name = env['WEIR_TOPOLOGY']
  if (name !== undefined && name !== '') return { name, source: 'WEIR_TOPOLOGY', cwd }
  return { name: 'embedded', source: 'the default', cwd }
}

function build(node: SchemaNode, path: string, values: ReadonlyMap<string, unknown>): unknown {
  if (node.type !== 'object')
    return values.has(path) ? values.get(path) : structuredClone(node.default)
  const entries = Object.entries(node.properties ?? {}).map(([name, child]) => [
    name,
    build(child, path === '' ? name : `${path}.${name}`, values),
  ])
  return Object.fromEntries(entries)
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child)
    Object.freeze(value)
  }
  return value
}
