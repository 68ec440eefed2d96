/** The unit of a metric of a device, as records told it last. */
export interface MetricUnit {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  readonly unit: string
}

/**
 * Where units outlive the process. Called from the doors' thread by the registry, which keeps them
 * in memory. Errors are `WeirError`s: `retryable` (the caller retries), `closed`.
 */
export interface UnitStore {
  /** Every unit of every tenant, for start-up. */
  all(): Promise<MetricUnit[]>
  /** Inserts or replaces, by (tenant, device, metric); of one call the last counts. */
  save(units: readonly MetricUnit[]): Promise<void>
  close(): Promise<void>
}
