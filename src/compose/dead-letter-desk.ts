import { LOG_CAPABILITIES } from '../config/engine-capabilities.ts'
import type { Config } from '../config/schema.ts'
import type { DeadLetter, DeadLetters } from '../ports/dead-letters.ts'
import { systemClock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import { replayDeadLetters, type Replayed } from '../process/replay-dead-letters.ts'
import { logs } from './engines.ts'
import { atServers } from './servers.ts'

/** Dead letters without a node: straight in the log's servers. */
export interface DeadLetterDesk {
  /** Oldest first. */
  list(): AsyncIterable<DeadLetter>
  /** @throws WeirError `not_found`. */
  find(id: string): Promise<DeadLetter>
  /** Appends them, or all, to the log again. @throws WeirError `not_found` before any is. */
  replay(ids?: readonly string[]): Promise<Replayed>
  /** @throws WeirError `not_found` before any is. */
  remove(ids: readonly string[]): Promise<void>
}

/**
 * Opens the log for `work` alone; nodes go on using it.
 *
 * @throws WeirError `config` when the log keeps no dead letters, and what opening it throws.
 */
export async function atDeadLetterDesk<T>(
  config: Config,
  work: (desk: DeadLetterDesk) => Promise<T>,
): Promise<T> {
  const { engine } = config.log
  // Opening it would take the data folder from the node that runs.
  if (!LOG_CAPABILITIES[engine].isShared) throw noDeadLetters(engine)
  return atServers(config, [engine], complete => atLog(complete, work))
}

async function atLog<T>(config: Config, work: (desk: DeadLetterDesk) => Promise<T>): Promise<T> {
  const { engine } = config.log
  const log = await logs[engine]({ config, clock: systemClock })
  try {
    const { deadLetters } = log
    if (deadLetters === undefined) throw noDeadLetters(engine)
    const mustBeThere = async (ids: readonly string[]): Promise<void> => {
      const missing = new Set(ids)
      for await (const { id } of deadLetters.list()) missing.delete(id)
      for (const id of missing) throw unknown(id)
    }
    return await work({
      list: () => deadLetters.list(),
      find: id => find(deadLetters, id),
      async replay(ids) {
        if (ids !== undefined) await mustBeThere(ids)
        return replayDeadLetters({
          ...{ log, deadLetters },
          ...(ids === undefined ? {} : { ids: new Set(ids) }),
        })
      },
      async remove(ids) {
        await mustBeThere(ids)
        await deadLetters.remove(ids)
      },
    })
  } finally {
    await log.close()
  }
}

async function find(deadLetters: DeadLetters, id: string): Promise<DeadLetter> {
  for await (const letter of deadLetters.list()) if (letter.id === id) return letter
  throw unknown(id)
}

function unknown(id: string): WeirError {
  return new WeirError('not_found', `there is no dead letter ${id}`)
}

function noDeadLetters(engine: string): WeirError {
  return new WeirError('config', `log.engine ${engine} keeps no dead letters; kafka and nats do`)
}
