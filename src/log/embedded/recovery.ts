import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeFrame } from '../../model/frame.ts'
import { WeirError } from '../../ports/errors.ts'
import {
  findLaterRecord,
  openSegment,
  readRecords,
  type Segment,
  type StoredRecord,
} from './segment.ts'

const SEGMENT_NAME = /^(\d{12})\.segment$/
const SPARE_NAME = /^\d{12}\.spare$/

export const segmentPath = (directory: string, sequence: number): string =>
  join(directory, `${String(sequence).padStart(12, '0')}.segment`)

export interface Recovered {
  /** In order; the last one has the last record, or there is none at all. */
  readonly segments: Segment[]
  /** Paths of old segments to be written again. */
  readonly spares: string[]
  readonly next: number
  readonly points: number
}

/**
 * Finds out what a directory holds. The last record counts only if its frames are whole: it may be
 * from an append that was cut off, which was never acknowledged. All others were followed by
 * another one, so they were acknowledged: whatever is wrong with them is damage, and is said.
 */
export async function recover(directory: string): Promise<Recovered> {
  const names = (await readdir(directory)).sort()
  const spares = names.filter(name => SPARE_NAME.test(name)).map(name => join(directory, name))
  const sequences = names.flatMap(name => SEGMENT_NAME.exec(name)?.slice(1).map(Number) ?? [])
  const segments: Segment[] = []
  try {
    for (const sequence of sequences) {
      const path = segmentPath(directory, sequence)
      const opened = await openSegment(path, sequence)
      if (!('problem' in opened)) segments.push(opened)
      else if (opened.unfinished && sequence === sequences.at(-1)) await unlink(path)
      else throw damaged(path, opened.problem)
    }
    return { ...(await scan(segments)), spares }
  } catch (error) {
    await Promise.all(segments.map(segment => segment.file.close()))
    throw error
  }
}

async function scan(segments: Segment[]): Promise<Omit<Recovered, 'spares'>> {
  let next: number | undefined
  let points = 0
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]
    if (i > 0 && segment.sequence !== segments[i - 1].sequence + 1) {
      throw damaged(segment.path, `segment ${segment.sequence - 1} before it is missing`)
    }
    const last = await scanSegment(segment, next)
    if (last === undefined) continue
    if (i > 0 && segments[i - 1].first === undefined) {
      throw damaged(segments[i - 1].path, `it has no records, but segment ${segment.sequence} has`)
    }
    next = last.offset + last.frames.length
    points = last.pointsBefore + last.points
  }
  await checkTail(segments, next ?? 0)
  while (segments.length > 0 && segments[segments.length - 1].first === undefined) {
    const empty = segments.pop() as Segment
    await empty.file.close()
    await unlink(empty.path)
  }
  return { segments, next: next ?? 0, points }
}

/** Finds the segment's records, which begin with offset `next`; returns the last one that is whole. */
async function scanSegment(
  segment: Segment,
  next: number | undefined,
): Promise<StoredRecord | undefined> {
  const { size } = await segment.file.stat()
  let expected = next
  let last: StoredRecord | undefined
  let before: StoredRecord | undefined
  for (;;) {
    const read = { position: segment.end, end: size, offset: expected }
    const records = await readRecords(segment, read)
    if (records.length === 0) break
    before = records.at(-2) ?? last
    last = records[records.length - 1]
    segment.first ??= records[0].offset
    for (const record of records) segment.bytes += bytesOf(record)
    segment.end = last.position + last.recordBytes
    expected = last.offset + last.frames.length
  }
  if (last === undefined || isWhole(last)) return last
  if ((await findLaterRecord(segment, segment.end, last.offset)) !== undefined) return last
  segment.end = last.position
  segment.bytes -= bytesOf(last)
  if (before === undefined) segment.first = undefined
  return before
}

const bytesOf = (record: StoredRecord): number =>
  record.frameBytes.reduce((sum, bytes) => sum + bytes, 0)

function isWhole(record: StoredRecord): boolean {
  try {
    for (const frame of record.frames) decodeFrame(frame)
    return true
  } catch {
    return false
  }
}

/** After the place where the records end nothing may be found that continues them. */
async function checkTail(segments: readonly Segment[], next: number): Promise<void> {
  for (const segment of segments) {
    const later = await findLaterRecord(segment, segment.end, next - 1)
    if (later !== undefined && later.offset > next) {
      throw damaged(segment.path, `entry ${next} is damaged, and entry ${later.offset} follows`)
    }
  }
}

function damaged(path: string, what: string): WeirError {
  return new WeirError('corrupt', `the log cannot be used: ${path}: ${what}`)
}
