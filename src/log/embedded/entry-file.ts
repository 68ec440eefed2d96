import { mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { framePoints } from '../../model/frame.ts'
import { WeirError } from '../../ports/errors.ts'
import { encodeRecordHeader, type NewRecord } from './record.ts'
import { recover, segmentPath, type Recovered } from './recovery.ts'
import { hasRoom, mostSegmentBytes } from './spare-room.ts'
import {
  createSegment,
  readRecords,
  SEGMENT_HEADER_BYTES,
  writeRecord,
  type Segment,
  type StoredRecord,
} from './segment.ts'

/** Trimmed segments kept to be written again: their blocks exist, so a write costs one flush. */
const MAX_SPARES = 6
/**
 * Deleting a file keeps the file system busy for some 10 ms, and appends wait for it (measured:
 * 8 ms an append while 1 GB was deleted at once). So there is a pause after each.
 */
const DELETE_PAUSE_MS = 100
/** What the system has too little of at the moment; it says nothing of what is on disk. */
const PASSING: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'])

export interface StoredEntry {
  readonly offset: number
  /** Memory of its own, aligned to 8. */
  readonly frame: Uint8Array
}

/** Where a reader has come to; only `EntryFile.read` looks inside. */
export interface ReadPlace {
  /** The next offset wanted. */
  offset: number
  /** The segment read last, where its next record is, and the offset that this has. */
  sequence?: number
  position: number
  expected: number
}

export const readPlace = (offset: number): ReadPlace => ({ offset, position: 0, expected: 0 })

/** The files of one log: a row of segments, written at the end of the last one. */
export class EntryFile {
  /** The offset that the next entry gets. */
  next: number
  /** Points ever appended. */
  points: number
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #segments: Segment[]
  readonly #spares: string[]
  #nextSequence: number
  #upcoming: Promise<Segment> | undefined
  #trimming: Promise<void> = Promise.resolve()
  #trimTo = 0
  #closing = new AbortController()

  /** @throws WeirError `config` when the directory cannot be used, `corrupt` when it is damaged. */
  static async open(directory: string, segmentBytes: number): Promise<EntryFile> {
    try {
      await mkdir(directory, { recursive: true })
      const recovered = await recover(directory)
      await syncDirectory(dirname(resolve(directory)))
      const most = Math.min(segmentBytes, await mostSegmentBytes(directory))
      return new EntryFile(directory, most, recovered)
    } catch (cause) {
      if (cause instanceof WeirError) throw cause
      const { message } = cause as Error
      throw new WeirError('config', `the log cannot be opened in ${directory}: ${message}`, {
        cause,
      })
    }
  }

  private constructor(directory: string, segmentBytes: number, recovered: Recovered) {
    this.#directory = directory
    this.#segmentBytes = segmentBytes
    this.#segments = recovered.segments
    this.#spares = recovered.spares
    this.#nextSequence = (recovered.segments.at(-1)?.sequence ?? 0) + 1
    this.next = recovered.next
    this.points = recovered.points
  }

  /** The oldest offset kept. */
  get first(): number {
    return this.#segments[0]?.first ?? this.next
  }

  /** Frame bytes kept. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /**
   * Resolves when the frames are on disk, all in one record. One call at a time.
   *
   * @throws WeirError `retryable` (`disk_full`, too many open files): nothing was appended, a later
   *   call may work; `closed`: it is not known what is on disk, so no later call may be made.
   */
  async append(frames: readonly Uint8Array[]): Promise<void> {
    let points = 0
    for (const frame of frames) points += framePoints(frame)
    const record = { offset: this.next, pointsBefore: this.points, points, frames }
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0)
    const { segment, header } = await this.#placeFor(record, bytes)
    const end = await writeRecord(segment, [header, ...frames], this.#segmentBytes).catch(
      (cause: unknown) => {
        throw writeFailure(cause)
      },
    )
    segment.first ??= this.next
    segment.end = end
    segment.bytes += bytes
    this.next += frames.length
    this.points += points
    if (end > this.#segmentBytes / 2) this.#prepare()
  }

  /**
   * Some entries from `place.offset` on, at most one chunk; moves `place` past them. Empty at the end.
   *
   * @throws Error saying what is wrong with the entry at `place.offset`.
   */
  async read(place: ReadPlace): Promise<StoredEntry[]> {
    while (place.offset < this.next) {
      const segment = this.#segmentOf(place.offset)
      if (place.sequence !== segment.sequence) {
        place.sequence = segment.sequence
        place.position = SEGMENT_HEADER_BYTES
        place.expected = segment.first ?? place.offset
      }
      const { position, expected } = place
      const read = { position, end: segment.end, offset: expected }
      const records = await readRecords(segment, read).catch((error: unknown) => {
        // A segment that is trimmed is closed, maybe between two reads.
        if (this.#segments.includes(segment)) throw error
        return []
      })
      if (!this.#segments.includes(segment)) {
        // Its group has committed more than it has read.
        place.offset = Math.max(place.offset, this.first)
        continue
      }
      const last = records.at(-1)
      if (last === undefined) throw new Error(`no record at byte ${position} of ${segment.path}`)
      place.position = last.position + last.recordBytes
      place.expected = last.offset + last.frames.length
      const entries = entriesFrom(place.offset, records)
      if (entries.length === 0) continue
      place.offset = place.expected
      return entries
    }
    return []
  }

  /**
   * Removes segments that have only entries before `floor`; never the one with the last record.
   * Resolves when that is done, which takes a while for many.
   */
  trim(floor: number): Promise<void> {
    this.#trimTo = Math.max(floor, this.#trimTo)
    this.#trimming = this.#trimming.catch(() => {}).then(() => this.#removeOldest())
    return this.#trimming
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#trimming.catch(() => {})
    const upcoming = await this.#upcoming?.catch(() => undefined)
    for (const segment of this.#segments) await segment.file.close()
    await upcoming?.file.close()
  }

  async #removeOldest(): Promise<void> {
    const { signal } = this.#closing
    while ((this.#segments[1]?.first ?? Infinity) <= this.#trimTo && !signal.aborted) {
      const [segment] = this.#segments
      const keeps = this.#spares.length < MAX_SPARES
      if (keeps) {
        const spare = segment.path.replace(/segment$/, 'spare')
        await rename(segment.path, spare)
        this.#spares.push(spare)
      } else await unlink(segment.path)
      this.#segments.shift()
      await segment.file.close()
      // One after the other also on disk: a power failure must not leave a gap in the row.
      await syncDirectory(this.#directory)
      if (!keeps) await pause(DELETE_PAUSE_MS, undefined, { signal }).catch(() => {})
    }
  }

  #segmentOf(offset: number): Segment {
    let found = this.#segments[0]
    for (const segment of this.#segments) {
      if (segment.first === undefined || segment.first > offset) break
      found = segment
    }
    return found
  }

  /** Where the record goes; there is room for it. Nothing of it is written yet. */
  async #placeFor(record: NewRecord, bytes: number): Promise<{ segment: Segment; header: Buffer }> {
    try {
      const segment = await this.#segmentFor(bytes)
      const header = encodeRecordHeader(record, segment.seed)
      const grown = segment.end + header.length + bytes - segment.written
      if (grown > 0) await this.#makeRoom(grown)
      return { segment, header }
    } catch (cause) {
      const { code = '', message } = cause as NodeJS.ErrnoException
      if (!PASSING.has(code)) throw writeFailure(cause)
      throw new WeirError('retryable', `the log cannot begin a write: ${message}`, { cause })
    }
  }

  async #segmentFor(bytes: number): Promise<Segment> {
    const active = this.#segments.at(-1)
    const fits = active !== undefined && active.end + bytes <= this.#segmentBytes
    // A record that is larger than a segment gets a segment of its own.
    if (active !== undefined && (fits || active.first === undefined)) return active
    this.#prepare()
    try {
      const segment = await (this.#upcoming as Promise<Segment>)
      this.#segments.push(segment)
      return segment
    } finally {
      this.#upcoming = undefined
    }
  }

  /** Spares are room too, where there is no other. */
  async #makeRoom(bytes: number): Promise<void> {
    while (!(await hasRoom(this.#directory, bytes))) {
      const spare = this.#spares.pop()
      if (spare === undefined) {
        throw Object.assign(new Error('what is left is for the store'), { code: 'ENOSPC' })
      }
      await unlink(spare)
    }
  }

  /** Makes the next segment while the last one is still being written. */
  #prepare(): void {
    if (this.#upcoming !== undefined) return
    this.#upcoming = this.#makeSegment()
    this.#upcoming.catch(() => {})
  }

  async #makeSegment(): Promise<Segment> {
    const sequence = this.#nextSequence
    const path = segmentPath(this.#directory, sequence)
    const spare = this.#spares.shift()
    if (spare === undefined) await this.#makeRoom(0)
    else await rename(spare, path)
    let segment: Segment | undefined
    try {
      segment = await createSegment(path, sequence)
      await syncDirectory(this.#directory)
      this.#nextSequence++
      return segment
    } catch (error) {
      await segment?.file.close()
      await unlink(path).catch(() => {})
      throw error
    }
  }
}

function entriesFrom(offset: number, records: readonly StoredRecord[]): StoredEntry[] {
  const entries: StoredEntry[] = []
  for (const record of records) {
    for (let i = Math.max(0, offset - record.offset); i < record.frames.length; i++) {
      // Copied, so that a consumer who keeps one frame does not keep the whole chunk.
      entries.push({ offset: record.offset + i, frame: new Uint8Array(record.frames[i]) })
    }
  }
  return entries
}

/** A file is on disk when it is written; its name when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function writeFailure(cause: unknown): WeirError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const options = { code: 'disk_full', cause } as const
    return new WeirError('retryable', 'the log cannot write: the disk is full', options)
  }
  return new WeirError('closed', `the log's write failed: ${message}`, { cause })
}
