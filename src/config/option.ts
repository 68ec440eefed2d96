import { configSchema } from './schema.ts'
import type { Unit } from './units.ts'

/** What of JSON Schema the configuration uses; the typed schema is read as this. */
export interface SchemaNode {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[] | undefined
  readonly items?: SchemaNode
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly description?: string
  readonly minimum?: number
  readonly minLength?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly format?:
    | 'address'
    | 'topic-template'
    | 'topic-filter'
    | 'broker-url'
    | 'postgres-url'
    | 'redis-url'
    | 'nats-server'
  /** A secret: never shown. */
  readonly writeOnly?: boolean
  readonly unit?: Unit
}

export const rootNode = configSchema as SchemaNode

/** One value that can be set, and its names in each place where it can be. */
export interface Option {
  /** `ingest.maxBodyBytes` */
  readonly path: string
  /** `WEIR_INGEST_MAX_BODY_BYTES` first, then shorter ones. */
  readonly variables: readonly string[]
  /** Without the dashes: `ingest.maxBodyBytes`, `ingest-max-body-bytes`, then shorter ones. */
  readonly flags: readonly string[]
  readonly node: SchemaNode
}

/** `--http HOST:PORT` is said so often that it has a short name. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  'http.address': 'http',
  'mqtt.address': 'mqtt',
}

const words = (path: string): string[] =>
  path.split('.').flatMap(part => part.split(/(?=[A-Z])/).map(word => word.toLowerCase()))

export const variableOf = (path: string): string => `WEIR_${words(path).join('_').toUpperCase()}`

export const options: readonly Option[] = leaves(rootNode, '').map(([path, node]) => {
  const short = SHORT_NAMES[path]
  const flags = new Set([path, words(path).join('-')])
  if (short === undefined) return { path, variables: [variableOf(path)], flags: [...flags], node }
  return {
    path,
    variables: [variableOf(path), variableOf(short)],
    flags: [...flags, short],
    node,
  }
})

function leaves(node: SchemaNode, path: string): [string, SchemaNode][] {
  if (node.type !== 'object') return [[path, node]]
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    leaves(child, path === '' ? name : `${path}.${name}`),
  )
}
