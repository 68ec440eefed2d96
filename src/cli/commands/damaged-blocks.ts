import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { DamagedBlockAside } from '../../compose/damaged-blocks.ts'
import { formatProblems } from '../../config/problem.ts'
import { isoFromTime } from '../../model/time.ts'
import { WeirError } from '../../ports/errors.ts'
import { readArguments } from '../arguments.ts'
import type { CommandIo } from '../command.ts'
import { commands } from '../commands.ts'
import { readConfiguration } from '../configuration.ts'
import { exitCode } from '../exit-code.ts'

/** `weir damaged-blocks`: what reads go without since it was found damaged. Changes nothing. */
export async function damagedBlocks(args: readonly string[], io: CommandIo): Promise<number> {
  const command = commands.find(({ name }) => name === 'damaged-blocks')!
  const given = readArguments(command, args)
  const outcome = readConfiguration(given, io)
  if ('problems' in outcome) {
    io.stderr.write(`${formatProblems(outcome.problems)}\n`)
    return exitCode('usage')
  }
  const save = given.own.get('save')
  const folder = typeof save === 'string' ? resolve(io.cwd, save) : undefined
  const asJson = given.own.has('json')
  let count = 0
  try {
    const blocks = await import('../../compose/damaged-blocks.ts')
    for await (const block of blocks.damagedBlocks(outcome.config)) {
      count++
      const file = folder === undefined ? undefined : saved(block, folder, count)
      io.stdout.write(asJson ? `${JSON.stringify(shown(block, file))}\n` : described(block, file))
    }
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    const isFile = syscall !== undefined && code !== undefined
    if (!(error instanceof WeirError) && !isFile) throw error
    io.stderr.write(`weir damaged-blocks: ${(error as Error).message}\n`)
    if (isFile) return exitCode('usage')
    return exitCode(exitOf(error as WeirError))
  }
  if (count === 0 && !asJson) io.stdout.write('There are no damaged blocks.\n')
  return exitCode('ok')
}

function exitOf({ kind }: WeirError): 'usage' | 'damaged' | 'unavailable' {
  if (kind === 'config') return 'usage'
  return kind === 'corrupt' ? 'damaged' : 'unavailable'
}

/** Its bytes in a file; names of devices are no file names. */
function saved({ path, bytes }: DamagedBlockAside, folder: string, count: number): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${basename(path, '.blocks')}-${count}.block`)
  writeFileSync(file, bytes)
  return file
}

function shown(block: DamagedBlockAside, file: string | undefined): object {
  const { path, series, timeUs, bytes, problem, header } = block
  return {
    ...{ path, ...series, time: isoFromTime(timeUs), bytes: bytes.length },
    ...(header === undefined
      ? {}
      : {
          points: header.points,
          first: isoFromTime(header.firstUs),
          last: isoFromTime(header.lastUs),
        }),
    ...(problem === undefined ? {} : { problem }),
    ...(file === undefined ? {} : { file }),
  }
}

function described(block: DamagedBlockAside, file: string | undefined): string {
  const { path, series, timeUs, bytes, problem, header } = block
  const names =
    series === undefined
      ? 'of a series without a name'
      : `${series.device} / ${series.metric} of tenant ${series.tenant}`
  const holds =
    header === undefined
      ? `nothing that can be read, from ${isoFromTime(timeUs)}`
      : `${header.points} points, ${isoFromTime(header.firstUs)} to ${isoFromTime(header.lastUs)}`
  return [
    names,
    `  holds      ${holds}`,
    `  problem    ${problem ?? 'none: it can be read'}`,
    `  bytes      ${bytes.length} in ${path}`,
    ...(file === undefined ? [] : [`  saved      ${file}`]),
    '',
  ].join('\n')
}
