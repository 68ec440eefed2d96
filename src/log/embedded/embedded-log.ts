import type { EncodedBatch } from '../../model/batch.ts'
import { WeirError } from '../../ports/errors.ts'
import type {
  Log,
  LogEntry,
  LogPosition,
  LogStatus,
  SubscribeOptions,
  Subscription,
} from '../../ports/log.ts'
import { EmbeddedSubscription } from './embedded-subscription.ts'
import { EntryFile } from './entry-file.ts'
import { GroupPositions } from './group-positions.ts'

const SEGMENT_BYTES = 32 << 20

export interface EmbeddedLogOptions {
  /** Belongs to this log alone; created when missing. */
  readonly directory: string
  /** Kept frames beyond this are refused like a full disk, with `limit: 'log.maxBytes'`. */
  readonly maxBytes?: number
  /** The unit in which committed entries are removed; at most a quarter of `maxBytes`. */
  readonly segmentBytes?: number
}

interface PendingAppend {
  readonly entries: readonly EncodedBatch[]
  resolve(): void
  reject(error: WeirError): void
}

/**
 * The log in files of its own: one partition (0), one synchronous write for each append. The bytes
 * on disk, and why it is not LMDB, are in docs/formats/log.md.
 *
 * Groups are those that have subscribed or committed in this process, so subscribe every group
 * before the first commit: what the known groups have all committed may be deleted.
 */
export class EmbeddedLog implements Log {
  readonly capabilities = { deliversBeforeAck: true, keepsEntries: true, isShared: false }
  readonly #file: EntryFile
  readonly #maxBytes: number
  readonly #groups = new GroupPositions()
  readonly #subscriptions = new Map<string, EmbeddedSubscription>()
  readonly #queue: PendingAppend[] = []
  #writing: Promise<void> | undefined
  #failure: WeirError | undefined
  #closing: Promise<void> | undefined

  /** @throws WeirError `config` when the directory cannot be used, `corrupt` when it is damaged. */
  static async open(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
    const maxBytes = options.maxBytes ?? Infinity
    const segmentBytes = Math.min(options.segmentBytes ?? SEGMENT_BYTES, maxBytes / 4)
    return new EmbeddedLog(await EntryFile.open(options.directory, segmentBytes), maxBytes)
  }

  private constructor(file: EntryFile, maxBytes: number) {
    this.#file = file
    this.#maxBytes = maxBytes
  }

  append(entries: readonly EncodedBatch[]): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (entries.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#queue.push({ entries, resolve, reject })
      this.#startWriting()
    })
  }

  /**
   * @throws WeirError `rejected` when `from` is not in the log (trimmed, or beyond its end: the
   *   group has read another log), `conflict` when the group has a subscription, `closed`.
   */
  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.#closing !== undefined) throw closed()
    const { group } = options
    const { first, next } = this.#file
    const from = options.from.find(position => position.partition === 0)?.offset ?? first
    if (!Number.isInteger(from) || from < first || from > next) {
      const kept = first === next ? `nothing, and ${next} comes next` : `${first} to ${next - 1}`
      throw new WeirError(
        'rejected',
        `group ${group} wants the log from offset ${from} on, but the log keeps ${kept}`,
      )
    }
    if (this.#subscriptions.has(group)) {
      throw new WeirError('conflict', `group ${group} has a subscription`)
    }
    this.#groups.join(group, from)
    const subscription = new EmbeddedSubscription(options, from, {
      next: () => this.#file.next,
      read: place => this.#file.read(place),
      fail: reason => (this.#failure ??= reason),
    })
    this.#subscriptions.set(group, subscription)
    return {
      caughtUp: subscription.caughtUp,
      close: async () => {
        await subscription.close()
        if (this.#subscriptions.get(group) === subscription) this.#subscriptions.delete(group)
      },
    }
  }

  /**
   * Remembered by which segments are there; the store's own position is the truth.
   *
   * @throws WeirError `rejected` for what is no offset, `retryable` when old entries cannot be removed.
   */
  async commit(group: string, positions: readonly LogPosition[]): Promise<void> {
    for (const { partition, offset } of positions) {
      if (!Number.isInteger(offset)) {
        throw new WeirError('rejected', `group ${group} commits ${offset}, which is no offset`)
      }
      if (partition === 0) this.#groups.commit(group, offset)
    }
    if (this.#closing !== undefined) return
    try {
      await this.#file.trim(this.#groups.floor())
    } catch (cause) {
      const { message } = cause as Error
      throw new WeirError('retryable', `the log cannot remove old entries: ${message}`, { cause })
    }
  }

  status(): LogStatus {
    const { first, next, points, bytes } = this.#file
    return {
      partitions: [{ partition: 0, first, next }],
      pointsAppended: points,
      bytes,
      ...(this.#failure === undefined ? {} : { failure: this.#failure.message }),
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#release()
    return this.#closing
  }

  async #release(): Promise<void> {
    // Subscriptions stay live until the appends in flight have been delivered.
    while (this.#writing !== undefined) await this.#writing
    await Promise.all([...this.#subscriptions.values()].map(subscription => subscription.close()))
    await this.#file.close()
  }

  #refusal(): WeirError | undefined {
    if (this.#closing !== undefined) return closed()
    if (this.#failure === undefined) return undefined
    return new WeirError('closed', `the log has failed: ${this.#failure.message}`, {
      cause: this.#failure,
    })
  }

  #startWriting(): void {
    if (this.#writing !== undefined) return
    this.#writing = this.#writeQueue().finally(() => {
      this.#writing = undefined
      // An append may have come after the queue was found empty.
      if (this.#queue.length > 0) this.#startWriting()
    })
  }

  /** One append at a time: the next is written when the last has been delivered. */
  async #writeQueue(): Promise<void> {
    for (let append = this.#queue.shift(); append !== undefined; append = this.#queue.shift()) {
      try {
        await this.#write(append.entries)
        append.resolve()
      } catch (error) {
        append.reject(error as WeirError)
      }
    }
  }

  async #write(entries: readonly EncodedBatch[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#refusal()
    const frames = entries.map(entry => entry.frame)
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0)
    if (this.#file.bytes + bytes > this.#maxBytes) throw beyond(this.#maxBytes)
    const base = this.#file.next
    try {
      await this.#file.append(frames)
    } catch (error) {
      if ((error as WeirError).kind === 'closed') this.#failure ??= error as WeirError
      throw error
    }
    const delivery = this.#deliver(
      entries.map(({ batch, frame }, i) => ({
        batch,
        frame,
        position: { partition: 0, offset: base + i },
      })),
    )
    if (delivery !== undefined) await delivery
  }

  #deliver(entries: readonly LogEntry[]): Promise<unknown> | undefined {
    const waits: Promise<void>[] = []
    for (const subscription of this.#subscriptions.values()) {
      const wait = subscription.offer(entries)
      if (wait !== undefined) waits.push(wait)
    }
    return waits.length === 0 ? undefined : Promise.all(waits)
  }
}

function closed(): WeirError {
  return new WeirError('closed', 'the log is closed')
}

function beyond(maxBytes: number): WeirError {
  return new WeirError('retryable', `the log has reached its bound of ${maxBytes} bytes`, {
    code: 'disk_full',
    limit: 'log.maxBytes',
  })
}
