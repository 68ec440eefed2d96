import { decodeFrame, FrameError } from '../model/frame.ts'
import { isoFromTime } from '../model/time.ts'
import type { DeadLetter } from '../ports/dead-letters.ts'

interface Content {
  readonly tenant: string
  readonly points: number
  readonly devices: readonly string[]
  readonly metrics: readonly string[]
  /** Of its points; absent when it has none. */
  readonly first?: string
  readonly last?: string
}

/** What can be read of a dead letter, or why nothing can. */
export interface LetterSummary {
  readonly content?: Content
  readonly problem?: string
}

const MAX_HEX_BYTES = 256
const HEX_BYTES_A_LINE = 16

export function summaryOf({ bytes }: Pick<DeadLetter, 'bytes'>): LetterSummary {
  try {
    const { tenant, devices, metrics, timestamps } = decodeFrame(bytes)
    let [first, last] = [Infinity, -Infinity]
    for (const time of timestamps) {
      if (time < first) first = time
      if (time > last) last = time
    }
    const points = timestamps.length
    const times = points === 0 ? {} : { first: isoFromTime(first), last: isoFromTime(last) }
    return { content: { tenant, points, devices, metrics, ...times } }
  } catch (error) {
    if (error instanceof FrameError) return { problem: error.message }
    throw error
  }
}

/** Some lines for people. */
export function describeLetter(letter: DeadLetter): string {
  const { id, atMs, reason, group, source, bytes } = letter
  const { content, problem } = summaryOf(letter)
  const inside =
    content === undefined
      ? `${bytes.length} bytes that are no frame: ${problem}`
      : `${content.points} points of ${content.devices.length} devices of tenant ${content.tenant}` +
        (content.first === undefined ? '' : `, ${content.first} to ${content.last}`)
  return [
    id,
    `  since      ${new Date(atMs).toISOString()}, put aside by ${group}`,
    `  reason     ${reason}`,
    `  position   partition ${source.partition}, offset ${source.offset}`,
    `  holds      ${inside}`,
    '',
  ].join('\n')
}

/** The beginning of the bytes, as hexadecimal and as text. */
export function hexLines(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, MAX_HEX_BYTES))
  let text = ''
  for (let at = 0; at < shown.length; at += HEX_BYTES_A_LINE) {
    const line = shown.subarray(at, at + HEX_BYTES_A_LINE)
    const hex = line.toString('hex').replaceAll(/(..)(?!$)/g, '$1 ')
    const plain = line.toString('latin1').replaceAll(/[^ -~]/g, '.')
    text += `  ${at.toString(16).padStart(4, '0')}  ${hex.padEnd(3 * HEX_BYTES_A_LINE)} ${plain}\n`
  }
  const more = bytes.length - shown.length
  return more > 0 ? `${text}  and ${more} bytes more\n` : text
}
