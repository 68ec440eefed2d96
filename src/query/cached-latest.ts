import { deviceScope, tenantScope } from '../model/data-scope.ts'
import type { Cache, CacheKey } from '../ports/cache.ts'
import type { LatestPoint, LatestReads, NewestRead, SeriesTime } from '../ports/latest.ts'
import { KeptAnswers } from './kept-answers.ts'

export interface CachedLatestOptions {
  readonly latest: LatestReads
  readonly cache: Cache
  /** How long an answer may be reused while nothing of its device is written. */
  readonly ttlMs: number
}

/**
 * The newest points through a cache: what is kept of a device is forgotten with each write of its
 * points, so what was written is read (docs/decisions/0023).
 */
export class CachedLatest implements LatestReads {
  readonly #latest: LatestReads
  readonly #cache: Cache
  readonly #ttlMs: number
  readonly #kept: KeptAnswers

  constructor({ latest, cache, ttlMs }: CachedLatestOptions) {
    this.#latest = latest
    this.#cache = cache
    this.#ttlMs = ttlMs
    this.#kept = new KeptAnswers(cache)
  }

  async devices(tenant: string, devices: readonly string[]): Promise<readonly LatestPoint[][]> {
    if (devices.length === 1) return [await this.#device(tenant, devices[0])]
    const found = await Promise.all(devices.map(id => this.#cache.get(keyOf(tenant, id))))
    const missed = devices.filter((_, i) => found[i].value === undefined)
    const read = missed.length === 0 ? [] : await this.#latest.devices(tenant, missed)
    let at = 0
    return found.map(kept => {
      if (kept.value !== undefined) return decode(kept.value)
      const points = read[at++]
      void kept.keep?.(encode(points), this.#ttlMs)
      return [...points]
    })
  }

  newestDevice(tenant: string): Promise<string | undefined> {
    return this.#ofTenant(tenant, ['newest device'], () => this.#latest.newestDevice(tenant))
  }

  newestSeries(read: NewestRead): Promise<readonly SeriesTime[]> {
    const { tenant, device = null, metric = null, limit } = read
    const question = ['newest series', device, metric, limit]
    return this.#ofTenant(tenant, question, () => this.#latest.newestSeries(read))
  }

  async #device(tenant: string, device: string): Promise<LatestPoint[]> {
    const { value } = await this.#kept.get(keyOf(tenant, device), this.#ttlMs, async () => {
      const [points] = await this.#latest.devices(tenant, [device])
      return encode(points)
    })
    return decode(value)
  }

  async #ofTenant<T>(tenant: string, question: unknown[], read: () => Promise<T>): Promise<T> {
    const key = { scopes: [tenantScope(tenant)], name: JSON.stringify(question) }
    const { value } = await this.#kept.get(key, this.#ttlMs, async () =>
      Buffer.from(JSON.stringify([await read()])),
    )
    const [answer] = JSON.parse(textOf(value)) as [T | null]
    return answer ?? (undefined as T)
  }
}

const keyOf = (tenant: string, device: string): CacheKey => ({
  scopes: [deviceScope(tenant, device)],
  name: 'latest',
})

/** `[[metric, µs, value], …]` as JSON, in which numbers keep their bits. */
function encode(points: readonly LatestPoint[]): Uint8Array {
  const rows = points.map(({ metric, timeUs, value }) => {
    const shown = Object.is(value, -0) ? '-0' : JSON.stringify(value)
    return `[${JSON.stringify(metric)},${timeUs},${shown}]`
  })
  return Buffer.from(`[${rows.join(',')}]`)
}

function decode(bytes: Uint8Array): LatestPoint[] {
  const rows = JSON.parse(textOf(bytes)) as [string, number, number | string][]
  return rows.map(([metric, timeUs, value]) => ({ metric, timeUs, value }))
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
