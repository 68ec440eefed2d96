import type { EncodedBatch } from '../model/batch.ts'
import { decodeFrame, FrameError } from '../model/frame.ts'
import type { DeadLetter, DeadLetters } from '../ports/dead-letters.ts'
import type { Log } from '../ports/log.ts'

export interface ReplayOptions {
  readonly log: Log
  readonly deadLetters: DeadLetters
  /** Only these; absent: all. */
  readonly ids?: ReadonlySet<string>
}

export interface Replayed {
  readonly replayed: readonly string[]
  /** Those that are no frame of a known version: they stay where they are. */
  readonly unreadable: readonly { readonly id: string; readonly reason: string }[]
}

/**
 * Appends dead letters to the log again, one by one: what consumers refuse once more becomes a dead
 * letter once more. Cut off in between, one may be in the log and among the dead letters: repeating
 * it changes nothing.
 */
export async function replayDeadLetters(options: ReplayOptions): Promise<Replayed> {
  const { log, deadLetters, ids } = options
  const replayed: string[] = []
  const unreadable: { id: string; reason: string }[] = []
  for await (const letter of deadLetters.list()) {
    if (ids?.has(letter.id) === false) continue
    const entry = entryOf(letter)
    if (entry instanceof FrameError) {
      unreadable.push({ id: letter.id, reason: entry.message })
      continue
    }
    await log.append([entry])
    await deadLetters.remove([letter.id])
    replayed.push(letter.id)
  }
  return { replayed, unreadable }
}

function entryOf({ bytes }: DeadLetter): EncodedBatch | FrameError {
  try {
    return { batch: decodeFrame(bytes), frame: bytes }
  } catch (error) {
    if (error instanceof FrameError) return error
    throw error
  }
}
