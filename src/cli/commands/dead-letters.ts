import type { DeadLetterDesk } from '../../compose/dead-letter-desk.ts'
import { formatProblems, type Problem } from '../../config/problem.ts'
import type { DeadLetter } from '../../ports/dead-letters.ts'
import { WeirError } from '../../ports/errors.ts'
import { readArguments, type Arguments } from '../arguments.ts'
import type { Command, CommandIo, CommandOption } from '../command.ts'
import { readConfiguration } from '../configuration.ts'
import { describeLetter, hexLines, summaryOf } from '../dead-letter-text.ts'
import { exitCode, type ExitName } from '../exit-code.ts'

interface Action {
  readonly options: readonly CommandOption[]
  /** How many ids follow. */
  readonly ids: 'none' | 'one' | 'some'
  /** Resolves with how it ended. */
  readonly run: (desk: DeadLetterDesk, asked: Asked) => Promise<ExitName>
}

interface Asked {
  readonly ids: readonly string[]
  readonly own: Arguments['own']
  readonly io: CommandIo
}

const json: CommandOption = { flag: 'json', meaning: 'Print JSON, one object a line.' }

const ACTIONS: Readonly<Record<string, Action>> = {
  list: { ids: 'none', options: [json], run: list },
  show: { ids: 'one', options: [json], run: show },
  replay: {
    ids: 'some',
    options: [{ flag: 'all', meaning: 'All of them, in place of ids.' }, json],
    run: replay,
  },
  remove: { ids: 'some', options: [], run: remove },
}

export const DEAD_LETTERS_HELP = [
  'weir dead-letters list [OPTION…]        what consumers could not take, oldest first',
  'weir dead-letters show ID [OPTION…]     one of them, with what can be read of it',
  'weir dead-letters replay ID… [OPTION…]  appends them to the log again, and removes them',
  'weir dead-letters remove ID…            gives them up',
  '',
  'They work on the log of the configuration (log.engine kafka or nats), while nodes run or not.',
  'What is replayed and refused once more becomes a dead letter once more.',
  '',
  ...Object.entries(ACTIONS).flatMap(([name, { options }]) =>
    options.length === 0
      ? []
      : [
          `${name}:`,
          ...options.map(({ flag, meaning }) => `  ${`--${flag}`.padEnd(10)} ${meaning}`),
          '',
        ],
  ),
].join('\n')

/** `weir dead-letters …`: what consumers of a shared log could not take. */
export async function deadLetters(args: readonly string[], io: CommandIo): Promise<number> {
  const [name = '', ...rest] = args
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (action === undefined) {
    const what = name === '' ? 'say what to do' : `no such action: ${name}`
    io.stderr.write(`weir dead-letters: ${what} (${Object.keys(ACTIONS).join(', ')})\n`)
    return exitCode('usage')
  }
  const isFlag = (arg: string): boolean => arg.startsWith('-')
  const firstFlag = rest.findIndex(isFlag)
  const ids = firstFlag === -1 ? rest : rest.slice(0, firstFlag)
  const command: Command = {
    ...{ name: `dead-letters ${name}`, summary: '', options: action.options },
    ...{ isConfigurable: true, run: deadLetters },
  }
  const given = readArguments(command, rest.slice(ids.length))
  const outcome = readConfiguration(given, io)
  const problems = [
    ...('problems' in outcome ? outcome.problems : []),
    ...idProblems(name, { ids, own: given.own }),
  ]
  if (problems.length > 0 || 'problems' in outcome) {
    io.stderr.write(`${formatProblems(problems)}\n`)
    return exitCode('usage')
  }
  try {
    const { atDeadLetterDesk } = await import('../../compose/dead-letter-desk.ts')
    const ended = await atDeadLetterDesk(outcome.config, desk =>
      action.run(desk, { ids, own: given.own, io }),
    )
    return exitCode(ended)
  } catch (error) {
    if (!(error instanceof WeirError)) throw error
    io.stderr.write(`weir dead-letters ${name}: ${error.message}\n`)
    return exitCode(exitOf(error))
  }
}

function idProblems(name: string, { ids, own }: Pick<Asked, 'ids' | 'own'>): Problem[] {
  const wanted = ACTIONS[name].ids
  const isAll = own.has('all')
  const problem = (message: string): Problem[] => [
    { path: '', source: `dead-letters ${name}`, message },
  ]
  if (wanted === 'none') return ids.length === 0 ? [] : problem(`takes no ids: ${ids.join(' ')}`)
  if (isAll) return ids.length === 0 ? [] : problem('takes ids or --all, not both')
  if (ids.length === 0) return problem('needs the id of a dead letter')
  return wanted === 'one' && ids.length > 1 ? problem('takes one id') : []
}

function exitOf({ kind }: WeirError): ExitName {
  if (kind === 'not_found') return 'refused'
  return kind === 'config' ? 'usage' : 'unavailable'
}

async function list(desk: DeadLetterDesk, { own, io }: Asked): Promise<ExitName> {
  let count = 0
  for await (const letter of desk.list()) {
    count++
    io.stdout.write(own.has('json') ? `${JSON.stringify(shown(letter))}\n` : describeLetter(letter))
  }
  if (count === 0 && !own.has('json')) io.stdout.write('There are no dead letters.\n')
  return 'ok'
}

async function show(desk: DeadLetterDesk, { ids, own, io }: Asked): Promise<ExitName> {
  const letter = await desk.find(ids[0])
  if (own.has('json')) {
    const base64 = Buffer.from(letter.bytes).toString('base64')
    io.stdout.write(`${JSON.stringify({ ...shown(letter), base64 })}\n`)
    return 'ok'
  }
  io.stdout.write(describeLetter(letter))
  const { content } = summaryOf(letter)
  if (content === undefined) io.stdout.write(hexLines(letter.bytes))
  else
    io.stdout.write(
      `  devices    ${content.devices.join(', ')}\n  metrics    ${content.metrics.join(', ')}\n`,
    )
  return 'ok'
}

async function replay(desk: DeadLetterDesk, { ids, own, io }: Asked): Promise<ExitName> {
  const { replayed, unreadable } = await desk.replay(own.has('all') ? undefined : ids)
  if (own.has('json')) io.stdout.write(`${JSON.stringify({ replayed, unreadable })}\n`)
  else {
    for (const id of replayed) io.stdout.write(`${id} is in the log again.\n`)
    for (const { id, reason } of unreadable) {
      io.stderr.write(`${id} stays, for it is no frame: ${reason}\n`)
    }
    if (replayed.length + unreadable.length === 0) io.stdout.write('There are no dead letters.\n')
  }
  return unreadable.length > 0 ? 'refused' : 'ok'
}

async function remove(desk: DeadLetterDesk, { ids, io }: Asked): Promise<ExitName> {
  await desk.remove(ids)
  for (const id of ids) io.stdout.write(`${id} is removed.\n`)
  return 'ok'
}

function shown(letter: DeadLetter): object {
  const { id, atMs, reason, group, source, bytes } = letter
  const { content, problem } = summaryOf(letter)
  return {
    ...{ id, time: new Date(atMs).toISOString(), reason, group },
    ...{ partition: source.partition, offset: source.offset, bytes: bytes.length },
    ...(content === undefined ? { unreadable: problem } : content),
  }
}
