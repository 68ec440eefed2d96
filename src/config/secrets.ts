import { rootNode } from './option.ts'
import type { SchemaNode } from './option.ts'

/** The configuration with its secrets replaced, so that it can be shown. */
export function withoutSecrets(config: unknown): unknown {
  return hide(rootNode, config)
}

function hide(node: SchemaNode, value: unknown): unknown {
  if (value === undefined) return undefined
  if (node.writeOnly === true) return value === '' ? '' : '(secret)'
  if (Array.isArray(value)) return value.map(item => hide(node.items ?? {}, item))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, child]) => [
    name,
    hide(node.properties?.[name] ?? {}, child),
  ])
  return Object.fromEntries(entries)
}
