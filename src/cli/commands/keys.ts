import { readFileSync } from 'node:fs'
import type { KeyDesk } from '../../compose/key-desk.ts'
import { formatProblems, type Problem } from '../../config/problem.ts'
import { parseQuantity } from '../../config/units.ts'
import { keyState, type Key } from '../../model/key.ts'
import { WeirError } from '../../ports/errors.ts'
import { readArguments, type Arguments } from '../arguments.ts'
import type { Command, CommandIo, CommandOption } from '../command.ts'
import { readConfiguration } from '../configuration.ts'
import { exitCode, type ExitName } from '../exit-code.ts'

interface Action {
  readonly options: readonly CommandOption[]
  /** Whether the id of a key follows. */
  readonly takesId: boolean
  readonly run: (desk: KeyDesk, asked: Asked) => Promise<void>
}

interface Asked {
  readonly id: string
  readonly given: Given
  readonly io: CommandIo
}

const json: CommandOption = { flag: 'json', meaning: 'Print JSON.' }

const ACTIONS: Readonly<Record<string, Action>> = {
  create: {
    takesId: false,
    options: [
      { flag: 'tenant', value: 'NAME', meaning: 'Whose data it opens (the tenant of the node).' },
      { flag: 'scopes', value: 'LIST', meaning: 'Of ingest, read, admin (ingest,read).' },
      { flag: 'device', value: 'ID', meaning: 'The only device that it may write and read.' },
      { flag: 'name', value: 'TEXT', meaning: 'For people: who has it.' },
      { flag: 'expires', value: 'DURATION', meaning: 'When it ends, such as 90d (never).' },
      { flag: 'requests-per-second', value: 'N', meaning: 'Its own limit; 0: none.' },
      { flag: 'points-per-second', value: 'N', meaning: 'Its own limit; 0: none.' },
      { flag: 'token-file', value: 'FILE', meaning: 'Holds a key that the client has already.' },
      json,
    ],
    run: create,
  },
  list: {
    takesId: false,
    options: [{ flag: 'tenant', value: 'NAME', meaning: 'Only its keys (all).' }, json],
    run: list,
  },
  rotate: {
    takesId: true,
    options: [
      { flag: 'overlap', value: 'DURATION', meaning: 'How long the old key works on (24h).' },
      json,
    ],
    run: rotate,
  },
  revoke: { takesId: true, options: [json], run: revoke },
}

export const KEYS_HELP = [
  'weir keys create [OPTION…]       issues a key and prints it, once',
  'weir keys list [OPTION…]         the keys, without the keys themselves',
  'weir keys rotate ID [OPTION…]    issues a key in place of another, which works on for a while',
  'weir keys revoke ID [OPTION…]    ends a key; running nodes know within a second or two',
  '',
  'They work on the configured catalog, in the data folder or in PostgreSQL, whether a node runs on',
  'it or not.',
  '',
  ...Object.entries(ACTIONS).flatMap(([name, { options }]) => [
    `${name}:`,
    ...options.map(({ flag, value, meaning }) => {
      const written = value === undefined ? `--${flag}` : `--${flag} ${value}`
      return `  ${written.padEnd(26)} ${meaning}`
    }),
    '',
  ]),
].join('\n')

/** `weir keys …`: who may come in. */
export async function keys(args: readonly string[], io: CommandIo): Promise<number> {
  const [name = '', ...rest] = args
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (action === undefined) {
    const what = name === '' ? 'say what to do' : `no such action: ${name}`
    io.stderr.write(`weir keys: ${what} (${Object.keys(ACTIONS).join(', ')})\n`)
    return exitCode('usage')
  }
  const id = action.takesId && rest[0]?.startsWith('-') === false ? rest.shift()! : ''
  const command: Command = {
    ...{ name: `keys ${name}`, summary: '', options: action.options, isConfigurable: true },
    run: keys,
  }
  const args2 = readArguments(command, rest)
  const outcome = readConfiguration(args2, io)
  const given = new Given(args2, {
    tenant: 'config' in outcome ? outcome.config.ingest.tenant : '',
  })
  const problems = [...('problems' in outcome ? outcome.problems : [])]
  if (action.takesId && id === '') {
    problems.push({ path: '', source: `keys ${name}`, message: 'needs the id of a key' })
  }
  problems.push(...given.problems)
  if (problems.length > 0 || 'problems' in outcome) {
    io.stderr.write(`${formatProblems(problems)}\n`)
    return exitCode('usage')
  }
  try {
    const { atKeyDesk } = await import('../../compose/key-desk.ts')
    await atKeyDesk(outcome.config, desk => action.run(desk, { id, given, io }))
    return exitCode('ok')
  } catch (error) {
    const code = exitOf(error)
    if (code === undefined) throw error
    io.stderr.write(`weir keys ${name}: ${(error as Error).message}\n`)
    return exitCode(code)
  }
}

function exitOf(error: unknown): ExitName | undefined {
  if (error instanceof WeirError) {
    if (error.kind === 'not_found' || error.kind === 'conflict') return 'refused'
    return error.kind === 'config' || error.kind === 'rejected' ? 'usage' : 'unavailable'
  }
  return (error as NodeJS.ErrnoException).code?.startsWith('E') === true ? 'unavailable' : undefined
}

/** The options of an action, in their own types; what is wrong with them is collected. */
class Given {
  readonly problems: Problem[] = []
  readonly nodeTenant: string
  readonly #own: Arguments['own']

  constructor({ own }: Arguments, { tenant }: { tenant: string }) {
    this.#own = own
    this.nodeTenant = tenant
    for (const flag of ['expires', 'overlap']) this.durationMs(flag)
    for (const flag of ['requests-per-second', 'points-per-second']) this.count(flag)
  }

  text(flag: string): string | undefined {
    const value = this.#own.get(flag)
    return typeof value === 'string' ? value : undefined
  }

  get isJson(): boolean {
    return this.#own.has('json')
  }

  durationMs(flag: string): number | undefined {
    const text = this.text(flag)
    if (text === undefined) return undefined
    const ms = parseQuantity(text, 'ms')
    if (ms === undefined) this.#wrong(flag, `${text} is not a duration such as 90d, 24h or 30m`)
    return ms
  }

  count(flag: string): number | undefined {
    const text = this.text(flag)
    if (text === undefined) return undefined
    if (!/^\d{1,15}$/.test(text)) this.#wrong(flag, `${text} is not a whole number`)
    return Number(text)
  }

  #wrong(flag: string, message: string): void {
    if (this.problems.some(({ source }) => source === `--${flag}`)) return
    this.problems.push({ path: '', source: `--${flag}`, message })
  }
}

async function create(desk: KeyDesk, { given, io }: Asked): Promise<void> {
  const requestsPerSecond = given.count('requests-per-second')
  const pointsPerSecond = given.count('points-per-second')
  const tokenFile = given.text('token-file')
  const issued = await desk.create({
    tenant: given.text('tenant') ?? given.nodeTenant,
    scopes: (given.text('scopes') ?? 'ingest,read').split(',').map(scope => scope.trim()),
    device: given.text('device'),
    name: given.text('name'),
    expiresInMs: given.durationMs('expires'),
    limits: {
      ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
      ...(pointsPerSecond === undefined ? {} : { pointsPerSecond }),
    },
    chosen: tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim(),
  })
  printIssued(issued, { given, io })
}

async function rotate(desk: KeyDesk, { id, given, io }: Asked): Promise<void> {
  const overlapMs = given.durationMs('overlap') ?? 86_400_000
  printIssued(await desk.rotate(id, overlapMs), { given, io })
  const until = new Date(Date.now() + overlapMs).toISOString()
  if (!given.isJson) io.stderr.write(`The old key, ${id}, works until ${until}.\n`)
}

/** The key alone on standard output, so that a script can take it; the rest is for people. */
function printIssued(
  { key, text }: { key: Key; text: string },
  { given, io }: Pick<Asked, 'given' | 'io'>,
): void {
  if (given.isJson) {
    io.stdout.write(`${JSON.stringify({ ...shown(key), key: text })}\n`)
    return
  }
  io.stderr.write(
    `Key ${key.id} of tenant ${key.tenant}: ${describe(key)}. It is not shown again.\n`,
  )
  io.stdout.write(`${text}\n`)
}

async function list(desk: KeyDesk, { given, io }: Asked): Promise<void> {
  const found = await desk.list(given.text('tenant'))
  if (given.isJson) {
    io.stdout.write(`${JSON.stringify(found.map(shown))}\n`)
    return
  }
  const heads = ['ID', 'TENANT', 'STATE', 'SCOPES', 'DEVICE', 'NAME', 'EXPIRES', 'LAST USED']
  const time = (ms: number | undefined): string =>
    ms === undefined ? '-' : new Date(ms).toISOString().slice(0, 16)
  const rows = found.map(key => [
    ...[key.id, key.tenant, keyState(key, Date.now()), key.scopes.join(',')],
    ...[key.device ?? '-', key.name ?? '-', time(key.expiresAtMs), time(key.lastUsedMs)],
  ])
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map(row => row[i].length)))
  for (const row of [heads, ...rows]) {
    io.stdout.write(
      `${row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
}

async function revoke(desk: KeyDesk, { id, given, io }: Asked): Promise<void> {
  const key = await desk.revoke(id)
  if (given.isJson) io.stdout.write(`${JSON.stringify(shown(key))}\n`)
  else io.stdout.write(`Key ${id} of tenant ${key.tenant} is revoked.\n`)
}

function describe({ scopes, device, expiresAtMs }: Key): string {
  const of = device === undefined ? '' : `, device ${device} only`
  const until = expiresAtMs === undefined ? '' : `, until ${new Date(expiresAtMs).toISOString()}`
  return `${scopes.join(', ')}${of}${until}`
}

function shown(key: Key): object {
  const { hash: _hash, ...rest } = key
  return { ...rest, state: keyState(key, Date.now()) }
}
