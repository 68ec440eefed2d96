import { setPriority } from 'node:os'
import type { StartLoad } from '../generator/load.ts'
import type { RunParts } from './parts.ts'

/** Of -20 to 19: before everything that it measures. */
const GENERATOR_PRIORITY = -10

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
    startLoad: preferred(startLoad),
    startProbes,
    openHouse,
    machineFacts,
    workloads: WORKLOADS,
  }
}

/**
 * On a machine that the system fills to its last core the generator has to wait for its turn, and what
 * it measures is void. Where the user may (root), it goes first: it needs little, at the right time.
 */
function preferred(startLoad: StartLoad): StartLoad {
  return async (plan, onTick) => {
    const running = await startLoad(plan, onTick)
    try {
      setPriority(running.pid, GENERATOR_PRIORITY)
    } catch {
      // Then it takes its turn, and the search says where that was its limit.
    }
    return running
  }
}
