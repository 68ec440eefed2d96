import { parse, stringify } from 'yaml'
import { rootNode } from './option.ts'
import type { SchemaNode } from './option.ts'

/** The configuration with its secrets replaced, so that it can be shown. */
export function withoutSecrets(config: unknown): unknown {
  return hide(rootNode, config)
}

/**
 * What a configuration file says, with its secrets replaced and without its comments, in which there
 * may be some that are no longer used. Only of a file that has no problems: what the schema does not
 * know is shown.
 */
export function textWithoutSecrets(text: string): string {
  return stringify(withoutSecrets(parse(text) ?? {}), { lineWidth: 0 })
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
