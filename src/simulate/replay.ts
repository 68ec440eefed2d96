import { isoFromTime } from '../model/time.ts'
import type { Message } from './message.ts'
import { recordedRows, type Recording, type SkippedRows } from './recording.ts'

export interface ReplayOptions {
  /** Recorded seconds a second; Infinity sends as fast as it is acknowledged. */
  readonly speed: number
  /** Absent: the original timestamps. Else the time, in microseconds, that is "now". */
  readonly rebaseToUs: number | undefined
}

export interface ReplayProgress extends SkippedRows {
  bytesRead: number
}

/**
 * The messages of one recording. All recordings of a replay begin together, each at its own first
 * row, whatever their dates are: days between two recordings are not waited for.
 *
 * Rebased, a row's time becomes the time at which it is due, and at unlimited speed the last row
 * of the file becomes "now" with the rows before it as far apart as they were.
 */
export async function* replayMessages(
  recording: Recording,
  options: ReplayOptions,
  progress: ReplayProgress,
): AsyncGenerator<Message, void, void> {
  const { firstTime, lastTime } = recording
  const { speed, rebaseToUs } = options
  let bytesBefore = 0
  for await (const row of recordedRows(recording, progress)) {
    progress.bytesRead += row.bytesRead - bytesBefore
    bytesBefore = row.bytesRead
    const sinceFirstUs = (row.time - firstTime) / speed
    let time = row.time
    if (rebaseToUs !== undefined) {
      time = Math.round(
        speed === Infinity ? rebaseToUs - (lastTime - row.time) : rebaseToUs + sinceFirstUs,
      )
    }
    const { deviceId, data } = row
    yield { deviceId, timestamp: isoFromTime(time), data, dueMs: sinceFirstUs / 1000 }
  }
}
