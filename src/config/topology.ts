import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml'
import type { Document, Node, Pair, YAMLMap } from 'yaml'
import type { Layer } from './layer.ts'
import { options, rootNode } from './option.ts'
import type { SchemaNode } from './option.ts'
import type { Problem } from './problem.ts'
import { suggestion } from './suggestion.ts'
import type { Given } from './value.ts'

const PACKAGED = fileURLToPath(new URL('../../topologies/', import.meta.url))
const MAX_EXTENDS = 8

export interface TopologyFile extends Layer {
  /** The file that was named, absolute; absent when there is none. */
  readonly file: string | undefined
  /** All that were read: it, and what it extends. */
  readonly files: readonly string[]
}

/** Names of the topologies that come with Weir. */
export function topologyNames(): string[] {
  const files = readdirSync(PACKAGED).filter(file => file.endsWith('.yaml'))
  return files.map(file => file.slice(0, -'.yaml'.length)).sort()
}

/**
 * Reads a configuration file, named by path or, for one that comes with Weir, by name; and what it
 * `extends`, whose values it overrides.
 */
export function readTopology(named: { name: string; source: string; cwd: string }): TopologyFile {
  const given: Given[][] = []
  const problems: Problem[] = []
  const files: string[] = []
  const first = locate(named.name, named.cwd)
  let next: Named | undefined = {
    ...named,
    file: first,
  }
  for (let depth = 0; next !== undefined; depth++) {
    const { file, name, source }: Named = next
    if (file === undefined || depth === MAX_EXTENDS) {
      problems.push(depth === MAX_EXTENDS ? tooDeep(source) : notFound(name, source))
      break
    }
    const shown = isAbsolute(relative(named.cwd, file)) ? file : relative(named.cwd, file)
    const layer = readFile(file, shown.startsWith('..') ? file : shown)
    files.push(file)
    given.unshift([...layer.given])
    problems.push(...layer.problems)
    next = layer.base && { ...layer.base, file: locate(layer.base.name, dirname(file)) }
  }
  return { file: first, files, given: given.flat(), problems }
}

function locate(name: string, folder: string): string | undefined {
  const isName = /^[a-z0-9-]+$/.test(name)
  const file = isName ? join(PACKAGED, `${name}.yaml`) : resolve(folder, name)
  return existsSync(file) ? file : undefined
}

function notFound(name: string, source: string): Problem {
  const names = topologyNames()
  const meant = suggestion(name, names)
  const hint = meant === undefined ? `Known by name: ${names.join(', ')}` : `Did you mean ${meant}?`
  return { path: '', source, message: `there is no topology or file ${name}`, hint }
}

function tooDeep(source: string): Problem {
  return { path: 'extends', source, message: `goes on for more than ${MAX_EXTENDS} files` }
}

interface Named {
  readonly name: string
  readonly source: string
  readonly file: string | undefined
}

interface FileLayer {
  readonly given: Given[]
  readonly problems: Problem[]
  base?: { readonly name: string; readonly source: string }
}

interface Walk extends FileLayer {
  readonly document: Document
  sourceOf(node: unknown): string
}

function readFile(file: string, shown: string): FileLayer {
  const layer: FileLayer = { given: [], problems: [] }
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const message = `cannot be read: ${(error as Error).message}`
    layer.problems.push({ path: '', source: shown, message })
    return layer
  }
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const at = (offset: number): string => `${shown}:${lineCounter.linePos(offset).line}`
  for (const { message, pos } of document.errors) {
    layer.problems.push({ path: '', source: at(pos[0]), message })
  }
  if (document.errors.length > 0) return layer
  const walk: Walk = {
    ...layer,
    document,
    sourceOf: node => at((node as Node | null)?.range?.[0] ?? 0),
  }
  walkSection(walk, rootNode, { node: document.contents, path: '', source: `${shown}:1` })
  return walk
}

interface Place {
  readonly node: unknown
  readonly path: string
  readonly source: string
}

function walkSection(walk: Walk, schema: SchemaNode, place: Place): void {
  const { node, path, source } = place
  // A section whose lines are all commented out is empty, not wrong.
  if (node === null || (isScalar(node) && node.value === null)) return
  if (!isMap(node)) {
    const names = Object.keys(schema.properties ?? {}).join(', ')
    walk.problems.push({ path, source, message: 'is a section', hint: `It holds ${names}` })
    return
  }
  for (const pair of (node as YAMLMap).items) walkPair(walk, { schema, pair, path })
}

function walkPair(walk: Walk, at: { schema: SchemaNode; pair: Pair; path: string }): void {
  const { schema, pair, path } = at
  const name = isScalar(pair.key) ? String(pair.key.value) : '?'
  const place = {
    node: pair.value,
    path: path === '' ? name : `${path}.${name}`,
    source: walk.sourceOf(pair.key),
  }
  if (place.path === 'extends') {
    walk.base = { name: String((pair.value as Node).toJS(walk.document)), source: place.source }
    return
  }
  const known = schema.properties ?? {}
  const child = Object.hasOwn(known, name) ? known[name] : undefined
  if (child === undefined) {
    walk.problems.push(unknownKey(place, Object.keys(known)))
  } else if (child.type === 'object') {
    walkSection(walk, child, place)
  } else {
    const value: unknown = (pair.value as Node | null)?.toJS(walk.document)
    walk.given.push({ path: place.path, source: place.source, value, isText: false })
  }
}

function unknownKey({ path, source }: Place, siblings: readonly string[]): Problem {
  const name = path.slice(path.lastIndexOf('.') + 1)
  const elsewhere = options.find(option => option.path.endsWith(`.${name}`))?.path
  const meant = suggestion(name, siblings) ?? elsewhere
  const hint = meant === undefined ? `Known here: ${siblings.join(', ')}` : `Did you mean ${meant}?`
  return { path, source, message: 'is not known', hint }
}
