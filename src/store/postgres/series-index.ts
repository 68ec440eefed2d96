import type { Batch } from '../../model/batch.ts'
import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, PostgresPool } from '../../postgres/postgres-pool.ts'
import { microseconds } from './statements.ts'

/** No point of the batch belongs to it. */
const UNUSED = 0xffff_ffff

interface NewSeries {
  readonly tenant: string
  readonly device: string
  readonly metric: string
}

/**
 * The ids that the database has for series, by name, as far as this process has met them. A series has a slot here:
 * a place in the columns `ids` and `newest`.
 */
export class SeriesIndex {
  readonly #pool: PostgresPool
  readonly #slots = new Map<string, Map<string, Map<string, number>>>()
  readonly #tenants: string[] = []
  readonly #uncertain = new Set<number>()
  #ids = new Float64Array(1024)
  #newest = new Float64Array(1024)
  #counts = new Uint32Array(1024)

  constructor(pool: PostgresPool) {
    this.#pool = pool
  }

  get ids(): Float64Array {
    return this.#ids
  }

  /**
   * The newest time of each that this process knows of, -1 for none. Points after it repeat no key, as far as one can
   * tell without asking; it need not be right.
   */
  get newest(): Float64Array {
    return this.#newest
  }

  /**
   * Zeros, for whoever counts by slot, and leaves zeros: made anew for each commit it would cost as much as there are
   * series, however few of them have points.
   */
  get counts(): Uint32Array {
    return this.#counts
  }

  tenantOf(slot: number): string {
    return this.#tenants[slot]
  }

  /** The slot of each series of the batches that has points there; asks the database for new ones. */
  async slotsOf(batches: readonly Batch[]): Promise<Uint32Array[]> {
    const unknown = new Map<string, NewSeries>()
    const found = batches.map(batch => this.#known(batch, unknown))
    if (this.#uncertain.size > 0) await this.#refresh()
    if (unknown.size === 0) return found
    await this.#learn([...unknown.values()])
    return batches.map(batch => this.#known(batch, new Map()))
  }

  /** What is known of their newest times may be wrong: the database is asked again before they are used. */
  doubt(slots: Uint32Array): void {
    for (const slot of slots) this.#uncertain.add(slot)
  }

  async #refresh(): Promise<void> {
    const slots = [...this.#uncertain]
    const { rows } = await this.#pool.query<[number, number]>({
      text: `SELECT u.n, ${microseconds('l.time')} FROM unnest($1::bigint[]) WITH ORDINALITY u (id, n)
        JOIN latest l ON l.series_id = u.id`,
      values: [slots.map(slot => this.#ids[slot])],
      rowMode: 'array',
    })
    for (const slot of slots) this.#newest[slot] = -1
    for (const [n, time] of rows) this.#newest[slots[n - 1]] = time
    this.#uncertain.clear()
  }

  #known(batch: Batch, unknown: Map<string, NewSeries>): Uint32Array {
    const { tenant, devices, metrics, seriesDevice, seriesMetric, seriesIndex } = batch
    const slots = new Uint32Array(seriesDevice.length).fill(UNUSED)
    const used = new Uint8Array(slots.length)
    for (let p = 0; p < seriesIndex.length; p++) used[seriesIndex[p]] = 1
    const ofTenant = this.#slots.get(tenant)
    for (let s = 0; s < slots.length; s++) {
      if (used[s] === 0) continue
      const device = devices[seriesDevice[s]]
      const metric = metrics[seriesMetric[s]]
      const slot = ofTenant?.get(device)?.get(metric)
      if (slot !== undefined) slots[s] = slot
      else unknown.set(`${tenant}\0${device}\0${metric}`, { tenant, device, metric })
    }
    return slots
  }

  async #learn(series: NewSeries[]): Promise<void> {
    let rows = await this.#pool.with(client => find(client, series))
    if (rows.length < series.length) {
      const found = new Set(rows.map(({ n }) => n))
      const missing = series.filter((_, i) => !found.has(i))
      // In one order everywhere, so that processes that make the same series do not block each other.
      const name = ({ tenant, device, metric }: NewSeries): string =>
        `${tenant}\0${device}\0${metric}`
      missing.sort((a, b) => (name(a) < name(b) ? -1 : 1))
      rows = await this.#pool.transaction(async client => {
        await make(client, missing)
        return find(client, series)
      })
    }
    for (const { n, id, newest } of rows) this.#add(series[n], id, newest)
  }

  #add({ tenant, device, metric }: NewSeries, id: number, newest: number): void {
    const slot = this.#tenants.length
    let ofTenant = this.#slots.get(tenant)
    if (ofTenant === undefined) this.#slots.set(tenant, (ofTenant = new Map()))
    let ofDevice = ofTenant.get(device)
    if (ofDevice === undefined) ofTenant.set(device, (ofDevice = new Map()))
    // Two writes may have asked for it at once.
    if (ofDevice.has(metric)) return
    ofDevice.set(metric, slot)
    this.#tenants.push(tenant)
    if (slot === this.#ids.length) {
      this.#ids = grown(this.#ids)
      this.#newest = grown(this.#newest)
      this.#counts = new Uint32Array(this.#ids.length)
    }
    this.#ids[slot] = id
    this.#newest[slot] = newest
  }
}

function grown(column: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * column.length)
  larger.set(column)
  return larger
}

interface FoundSeries {
  readonly n: number
  readonly id: number
  readonly newest: number
}

async function find(client: PostgresClient, series: readonly NewSeries[]): Promise<FoundSeries[]> {
  const { rows } = await run<[number, number, number | null]>(client, {
    text: `SELECT u.n, s.id, ${microseconds('l.time')}
      FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY u (tenant, device, metric, n)
      JOIN series s ON s.tenant = u.tenant AND s.device = u.device AND s.metric = u.metric
      LEFT JOIN latest l ON l.series_id = s.id`,
    values: namesOf(series),
    rowMode: 'array',
  })
  return rows.map(([n, id, time]) => ({
    n: n - 1,
    id,
    newest: time ?? -1,
  }))
}

async function make(client: PostgresClient, series: readonly NewSeries[]): Promise<void> {
  await run(client, {
    text: `WITH made AS (
        INSERT INTO series (tenant, device, metric)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
        ON CONFLICT DO NOTHING RETURNING tenant)
      INSERT INTO counters AS c (tenant, slot, series)
      SELECT tenant, pg_backend_pid() % 64, count(*) FROM made GROUP BY tenant ORDER BY tenant
      ON CONFLICT (tenant, slot) DO UPDATE SET series = c.series + excluded.series`,
    values: namesOf(series),
  })
}

function namesOf(series: readonly NewSeries[]): string[][] {
  return [
    series.map(({ tenant }) => tenant),
    series.map(({ device }) => device),
    series.map(({ metric }) => metric),
  ]
}
