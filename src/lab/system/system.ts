import type { Solution } from './solution.ts'
import type { Workload } from '../workloads/workload.ts'

/** Whose CPU and memory are shown together. `store` is what an engine's own processes would be. */
export type Role = 'api' | 'consumer' | 'supervisor' | 'database' | 'cache' | 'queue'

export interface SystemProcess {
  readonly pid: number
  readonly role: Role
}

/** What the probes need to know of a running composition. */
export interface SystemUnderTest {
  readonly solution: Solution
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Now: workers come and go, a database starts one for each connection. */
  processes(): readonly SystemProcess[]
  /** Where its database can be asked for its own figures; absent: it has none. */
  readonly databaseUrl?: string
  /** Its schema or database name there, so that only its own are counted. */
  readonly databaseName?: string
  /** Of requests to it; absent: it asks for none. */
  readonly key?: string
  /** Why it has ended by itself, with the end of what it printed; undefined while it runs. */
  failure?(): string | undefined
  /** Bytes that its points occupy on disk now: of the database, or of its data folder. */
  diskBytes(): Promise<number>
  /** SIGTERM; its data is removed. Resolves when nothing of it runs. */
  stop(): Promise<void>
}

/** Keeps the servers of a lab run; every step gets a fresh composition on them. */
export interface SystemHouse {
  /**
   * Starts `weir up` with the solution's topology on empty state, and writes the workload's history
   * through the API. Resolves when `/ready` says so and the history is stored.
   *
   * @throws Error with what the node printed.
   */
  start(solution: Solution, workload: Workload, seed: number): Promise<SystemUnderTest>
  /** Which solutions cannot run here, and why. */
  missing(solutions: readonly Solution[]): Promise<ReadonlyMap<string, string>>
  close(): Promise<void>
}
