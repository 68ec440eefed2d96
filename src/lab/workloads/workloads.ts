import { ANALYTICS } from './analytics.ts'
import { BURST } from './burst.ts'
import { MIXED } from './mixed.ts'
import { PRODUCT_CATALOGUE } from './product-catalogue.ts'
import { READ_HEAVY } from './read-heavy.ts'
import { RECONNECT_STORM } from './reconnect-storm.ts'
import { STEADY_STATE } from './steady-state.ts'
import type { Workload } from './workload.ts'
import { WRITE_HEAVY } from './write-heavy.ts'

/** Every profile and scenario, by its id. One more is a file and a line here. */
export const WORKLOADS: Readonly<Record<string, Workload>> = Object.fromEntries(
  [
    READ_HEAVY,
    WRITE_HEAVY,
    MIXED,
    ANALYTICS,
    STEADY_STATE,
    BURST,
    RECONNECT_STORM,
    PRODUCT_CATALOGUE,
  ].map(workload => [workload.id, workload]),
)

/** Those that a comparison of architectures runs; the others are scenarios. */
export const PROFILES: readonly string[] = [READ_HEAVY, WRITE_HEAVY, MIXED, ANALYTICS].map(
  workload => workload.id,
)
