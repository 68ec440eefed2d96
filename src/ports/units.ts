/** The unit of a metric of a device, as records told it last. */
export interface MetricUnit {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  readonly unit: string
}

/** Units that were told after a version, and the version of the last of them. */
export interface UnitChanges {
  readonly version: number
  readonly units: readonly MetricUnit[]
}

/**
 * Where units outlive the process. Called from the doors' thread by the registry, which keeps them
 * in memory. Errors are `WeirError`s: `retryable` (the caller retries), `closed`.
 */
export interface UnitStore {
  /** Whether other processes save units in it too, so that it is worth asking again. */
  readonly isShared: boolean
  /**
   * What any process saved after `version` (0: all), in parts: the next call may have more, until one
   * returns the version that it was asked with. Cheap when there is nothing new.
   */
  since(version: number): Promise<UnitChanges>
  /** Inserts or replaces, by (tenant, device, metric); of one call the last counts. */
  save(units: readonly MetricUnit[]): Promise<void>
  close(): Promise<void>
}
