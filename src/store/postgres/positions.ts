import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, PostgresPool } from '../../postgres/postgres-pool.ts'
import type { LogPosition } from '../../ports/log.ts'

/** How far of the log the tables are, and how far this process believes they are. */
export class Positions {
  readonly #pool: PostgresPool
  readonly #log: string
  readonly #next = new Map<number, number>()

  constructor(pool: PostgresPool, log: string) {
    this.#pool = pool
    this.#log = log
  }

  /** As far as this process knows; 0 where it knows nothing. */
  next(partition: number): number {
    return this.#next.get(partition) ?? 0
  }

  /** Of the partitions that this process has written or asked about. */
  get known(): LogPosition[] {
    return [...this.#next].map(([partition, offset]) => ({ partition, offset }))
  }

  async read(): Promise<LogPosition[]> {
    const { rows } = await this.#pool.query<LogPosition>({
      text: 'SELECT partition, next AS offset FROM positions WHERE log = $1 ORDER BY partition',
      values: [this.#log],
    })
    return rows
  }

  /**
   * Locks them until the transaction ends, so that of two processes one goes first and the other sees it. False when
   * they are elsewhere than this process believed; it knows better then.
   */
  async lock(client: PostgresClient, partitions: readonly number[]): Promise<boolean> {
    const select = {
      text: `SELECT partition, next AS offset FROM positions
        WHERE log = $1 AND partition = ANY ($2) ORDER BY partition FOR UPDATE`,
      values: [this.#log, partitions],
    }
    let { rows } = await run<LogPosition>(client, select)
    if (rows.length < partitions.length) {
      await run(client, {
        text: `INSERT INTO positions (log, partition, next)
          SELECT $1, partition, 0 FROM unnest($2::int[]) partition ORDER BY partition
          ON CONFLICT DO NOTHING`,
        values: [this.#log, partitions],
      })
      ;({ rows } = await run<LogPosition>(client, select))
    }
    const isAsKnown = rows.every(({ partition, offset }) => this.next(partition) === offset)
    for (const { partition, offset } of rows) this.#next.set(partition, offset)
    return isAsKnown
  }

  async move(client: PostgresClient, to: readonly LogPosition[]): Promise<void> {
    await run(client, {
      text: `UPDATE positions p SET next = u.next
        FROM unnest($2::int[], $3::bigint[]) u (partition, next)
        WHERE p.log = $1 AND p.partition = u.partition`,
      values: [this.#log, to.map(({ partition }) => partition), to.map(({ offset }) => offset)],
    })
  }

  /** The transaction that moved them is committed. */
  moved(to: readonly LogPosition[]): void {
    for (const { partition, offset } of to) this.#next.set(partition, offset)
  }
}
