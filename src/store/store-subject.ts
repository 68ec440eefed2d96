import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { LatestColumns, SeriesPoints, Store } from '../ports/store.ts'
import { batchOf, TestLog } from './test-log.ts'
import type { TestPoint } from './test-log.ts'

/**
 * Opens the store that lives in a folder, as a process that
 * starts does: opened again after `close`, the same folder is the same store. An engine with a
 * server of its own names what it keeps there after the folder.
 */
export type OpenStore = (directory: string) => Promise<Store>

export const TENANT = 'plant'
export const EVERYTHING = { start: 0, end: 2 ** 53 }

/** A store in a folder of its own, with a log to feed it; both go when the test ends. */
export class Subject {
  readonly log = new TestLog()
  readonly #open: OpenStore
  readonly #directory: string
  #store: Store | undefined = undefined

  static async start(t: TestContext, open: OpenStore): Promise<Subject> {
    const directory = mkdtempSync(join(tmpdir(), 'weir-store-'))
    const subject = new Subject(open, directory)
    t.after(async () => {
      await subject.#store?.close()
      rmSync(directory, { recursive: true, force: true })
    })
    await subject.reopen()
    return subject
  }

  constructor(open: OpenStore, directory: string) {
    this.#open = open
    this.#directory = directory
  }

  get store(): Store {
    return this.#store!
  }

  async reopen(): Promise<void> {
    await this.#store?.close()
    this.#store = await this.#open(this.#directory)
  }

  write(points: readonly TestPoint[], tenant = TENANT): Promise<void> {
    return this.store.write([this.log.append(batchOf(tenant, points))])
  }

  /** All points of one series, as rows. */
  async rows(device: string, metric: string, tenant = TENANT): Promise<unknown[]> {
    const select = { tenant, devices: [device], metrics: [metric] }
    const found = await this.store.read({ select, range: EVERYTHING, limit: 1e6, order: 'asc' })
    return found.flatMap(rowsOf)
  }

  async latest(): Promise<unknown[]> {
    const rows: unknown[] = []
    for await (const chunk of this.store.latest()) rows.push(...latestRows(chunk))
    return rows
  }
}

export function rowsOf({ timestamps, values, texts }: SeriesPoints): unknown[] {
  return [...timestamps].map((time, i) => [time, texts?.[i] ?? values[i]])
}

function latestRows(chunk: LatestColumns): unknown[] {
  return chunk.devices.map((device, i) => [
    ...[chunk.tenants[i], device, chunk.metrics[i]],
    ...[chunk.timestamps[i], chunk.texts[i] ?? chunk.values[i]],
  ])
}
