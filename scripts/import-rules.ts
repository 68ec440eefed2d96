import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.ts'

// "Who may import whom" of ARCHITECTURE.md as data: the linter's configuration is made from it,
// and test/tidy.test.ts applies it to what the linter does not see.

interface FolderRule {
  /** Folders of src that it may import, besides itself. */
  readonly values: readonly string[]
  /** Folders of which it may import types only. */
  readonly types?: readonly string[]
}

const BASE = ['model', 'ports', 'kit']
const ENGINES = ['log', 'store', 'cache', 'catalog', 'rates']
const STAGES = ['access', 'ingest', 'process', 'query', 'live', 'mqtt', 'registry', 'transfer']
const ownBase: FolderRule = { values: BASE }

/** Every folder that src may have. */
export const FOLDERS: Readonly<Record<string, FolderRule>> = {
  model: { values: [] },
  kit: { values: [] },
  ports: { values: ['model'] },
  ...Object.fromEntries([...ENGINES, ...STAGES].map(folder => [folder, ownBase])),
  // What the engines on PostgreSQL share; engineZones keeps the others from it.
  postgres: ownBase,
  store: { values: [...BASE, 'postgres'] },
  catalog: { values: [...BASE, 'postgres'] },
  // What the engines on Redis share.
  redis: ownBase,
  cache: { values: [...BASE, 'redis'] },
  rates: { values: [...BASE, 'redis'] },
  http: { values: BASE, types: [...STAGES, 'observe', 'config'] },
  observe: ownBase,
  config: ownBase,
  workers: ownBase,
  compose: {
    values: [
      ...BASE,
      ...ENGINES,
      ...STAGES,
      'http',
      'observe',
      'config',
      'provide',
      'workers',
      'plan',
      'lab',
    ],
  },
  simulate: ownBase,
  provide: { values: BASE, types: ['config'] },
  // A plan is calibrated by what the lab measured: the lab fills in the plan's own types.
  lab: { values: [...BASE, 'config', 'provide', 'postgres'], types: ['plan'] },
  plan: ownBase,
  cli: {
    values: [
      ...BASE,
      'compose',
      'provide',
      'config',
      'observe',
      'simulate',
      'workers',
      'transfer',
      'lab',
      'plan',
    ],
  },
}

/** Client libraries, and the only places that may import them. */
const LIBRARIES: readonly (readonly [library: string, places: readonly string[]])[] = [
  ['lmdb', ['src/log/embedded', 'src/store/blocks']],
  ['node:sqlite', ['src/catalog/sqlite', 'src/compose/data-lock.ts']],
  ['kysely', ['src/catalog']],
  ['pg', ['src/postgres']],
  ['@platformatic/kafka', ['src/log/kafka', 'src/lab']],
  ['ioredis', ['src/redis', 'src/cache/redis', 'src/rates/redis', 'src/lab']],
  ['@nats-io', ['src/log/nats', 'src/lab']],
  ['fastify', ['src/http']],
  ['@fastify', ['src/http']],
  ['typebox', ['src/http', 'src/config']],
  ['aedes', ['src/mqtt']],
  ['mqtt', ['src/mqtt', 'src/simulate', 'src/lab']],
  ['hyparquet', ['src/transfer']],
  ['ws', ['src/mqtt', 'src/http']],
  ['yaml', ['src/config']],
  ['pino', ['src/observe']],
  ['prom-client', ['src/observe']],
  ['hdr-histogram-js', ['src/lab']],
]

export interface Restriction {
  /** Matches the specifiers that are not allowed. */
  readonly regex: string
  readonly message: string
  readonly allowTypeImports?: boolean
}

/** A set of files and what they must not import; of several that match a file, the last counts. */
export interface Zone {
  readonly files: readonly string[]
  readonly restrictions: readonly Restriction[]
}

export const zones: readonly Zone[] = [
  ...Object.keys(FOLDERS).map(folder => ({
    files: [`src/${folder}/**/*.ts`],
    restrictions: [...folderRestrictions(folder), ...libraryRestrictions(`src/${folder}`)],
  })),
  ...ENGINES.flatMap(folder => engineZones(folder)),
  {
    files: ['src/compose/data-lock.ts'],
    restrictions: [
      ...folderRestrictions('compose'),
      ...libraryRestrictions('src/compose/data-lock.ts'),
    ],
  },
]

function folderRestrictions(folder: string): Restriction[] {
  const { values, types = [] } = FOLDERS[folder]
  const denied = Object.keys(FOLDERS).filter(
    other => other !== folder && !values.includes(other) && !types.includes(other),
  )
  const climbsInto = (folders: readonly string[]): string => `^(\\.\\./)+(${folders.join('|')})/`
  const restrictions: Restriction[] = [
    {
      regex: climbsInto(denied),
      message: `src/${folder} must not import this folder: ARCHITECTURE.md, who may import whom.`,
    },
  ]
  if (types.length > 0) {
    restrictions.push({
      regex: climbsInto(types),
      allowTypeImports: true,
      message: `src/${folder} may import only types of this folder; compose hands it the rest.`,
    })
  }
  return restrictions
}

function libraryRestrictions(place: string): Restriction[] {
  const isIn = (folder: string): boolean => place === folder || place.startsWith(`${folder}/`)
  return LIBRARIES.filter(([, places]) => !places.some(isIn)).map(([library, places]) => ({
    regex: `^${library}(/|$)`,
    message: `${library} is imported only in ${places.join(', ')}.`,
  }))
}

function engineZones(folder: string): Zone[] {
  return subfolders(join(root, 'src', folder)).flatMap(engine => {
    const place = `src/${folder}/${engine}`
    const common = [...folderRestrictions(folder), ...libraryRestrictions(place)]
    if (engine !== 'postgres') {
      const message = 'Only the engines on PostgreSQL import src/postgres.'
      common.push({ regex: '^(\\.\\./)+postgres/', message })
    }
    const message = `Engines never import each other (${place}).`
    // `../log.contract.ts` is for all engines; `../kafka/…` is another one.
    const zone = (files: string, climb: string): Zone => ({
      files: [`${place}/${files}`],
      restrictions: [...common, { regex: `^${climb}[a-z0-9-]+/`, message }],
    })
    return [zone('*.ts', '\\.\\./'), zone('*/**/*.ts', '\\.\\./\\.\\./')]
  })
}

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
}
