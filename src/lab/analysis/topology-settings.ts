import { basename } from 'node:path'
import type { Solution } from '../system/solution.ts'

/** Texts of topology files, by the names of the files; those that they extend are among them. */
type Topologies = Readonly<Record<string, string>>

/** `store.postgres.writes`, `merged`; as written, for print and for looks, not for use. */
interface Setting {
  readonly path: string
  readonly value: string
}

type Composed = Pick<Solution, 'topology' | 'flags'>

/** `cache.engine = tiered`. */
export function settingText({ path, value }: Setting): string {
  return `${path} = ${value}`
}

/** Of its file and its flags, which override the file; what it extends is not among them. */
export function ownSettings(topologies: Topologies, { topology, flags }: Composed): Setting[] {
  const given = flags.map(settingOf)
  return [...without(fileSettings(topologies, topology), given), ...given]
}

/** Of all that it is made of, each path once: its own, then those of what it extends. */
export function allSettings(topologies: Topologies, composed: Composed): Setting[] {
  const settings = ownSettings(topologies, composed)
  const [, ...parents] = lineageOf(topologies, composed.topology)
  for (const file of parents) settings.push(...without(fileSettings(topologies, file), settings))
  return settings
}

/** Whether a topology is another one, or extends it, by way of others too. */
export function isOrExtends(topologies: Topologies, name: string, other: string): boolean {
  return lineageOf(topologies, name).includes(fileOf(topologies, other))
}

/** What a topology extends, as its file says it. */
export function parentOf(topologies: Topologies, name: string): string | undefined {
  return linesOf(topologies[fileOf(topologies, name)] ?? '').find(isExtends)?.value
}

/** Whether both are the same file: a path in one place is another one, or a name, elsewhere. */
export function isSameTopology(topologies: Topologies, a: string, b: string): boolean {
  return fileOf(topologies, a) === fileOf(topologies, b)
}

/** A topology's file, then those that it extends. */
function lineageOf(topologies: Topologies, name: string): string[] {
  const files: string[] = []
  let next: string | undefined = name
  while (next !== undefined) {
    const file = fileOf(topologies, next)
    if (files.includes(file)) break
    files.push(file)
    next = parentOf(topologies, file)
  }
  return files
}

/** By the name of a topology, or by a path to its file. */
function fileOf(topologies: Topologies, name: string): string {
  const file = basename(name)
  const names = [file, `${file}.yaml`]
  return Object.keys(topologies).find(key => names.includes(basename(key))) ?? name
}

function fileSettings(topologies: Topologies, name: string): Setting[] {
  return linesOf(topologies[fileOf(topologies, name)] ?? '').filter(line => !isExtends(line))
}

const isExtends = ({ path }: Setting): boolean => path === 'extends'

/** A flag that stands alone switches on. */
function settingOf(flag: string): Setting {
  const [path, ...value] = flag.replace(/^--/, '').split('=')
  return { path, value: value.length === 0 ? 'true' : value.join('=') }
}

function without(settings: readonly Setting[], others: readonly Setting[]): Setting[] {
  const paths = new Set(others.map(({ path }) => path))
  return settings.filter(({ path }) => !paths.has(path))
}

/** Lines `key: value` of a file with the path to them. */
function linesOf(text: string): Setting[] {
  const settings: Setting[] = []
  const parents: { indent: number; key: string }[] = []
  for (const line of text.split('\n')) {
    const [, space, key, rest] = /^( *)([\w.-]+):(.*)$/.exec(line) ?? []
    if (key === undefined) continue
    const indent = space.length
    while (parents.length > 0 && parents[parents.length - 1].indent >= indent) parents.pop()
    const value = rest.replace(/(^|\s)#.*$/, '').trim()
    const path = [...parents.map(parent => parent.key), key].join('.')
    if (value === '') parents.push({ indent, key })
    else settings.push({ path, value })
  }
  return settings
}
