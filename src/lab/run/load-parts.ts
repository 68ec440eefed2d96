import type { RunParts } from './parts.ts'

/** The real ones, loaded when a run begins. */
export async function loadParts(): Promise<RunParts> {
  const [{ startLoad }, { startProbes }, { openHouse }, { machineFacts }, { WORKLOADS }] =
    await Promise.all([
      import('../generator/generator.ts'),
      import('../probes/probes.ts'),
      import('../system/house.ts'),
      import('../probes/machine-facts.ts'),
      import('../workloads/workloads.ts'),
    ])
  return {
    startLoad,
    startProbes,
    openHouse,
    machineFacts,
    workloads: WORKLOADS,
  }
}
