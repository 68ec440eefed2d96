import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Latency } from '../generator/load.ts'
import { latencyOf } from './summary.ts'

const WRITE_BYTES = 4096
const MOST_TRIES = 400
/** Of which a percentile still says something. */
const FEWEST_TRIES = 20
const BUDGET_MS = 1500

/** How long a write of 4 KB and its fsync take on the disk of a folder, one after the other. */
export async function fsyncCost(folder: string): Promise<Latency> {
  const path = join(folder, `fsync-${process.pid}`)
  const file = await open(path, 'w', 0o600)
  const page = Buffer.alloc(WRITE_BYTES, 1)
  const times: number[] = []
  const beganMs = performance.now()
  try {
    for (let i = 0; i < MOST_TRIES; i++) {
      const startedMs = performance.now()
      if (i >= FEWEST_TRIES && startedMs - beganMs > BUDGET_MS) break
      await file.write(page, 0, WRITE_BYTES, i * WRITE_BYTES)
      await file.sync()
      times.push(performance.now() - startedMs)
    }
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
  return latencyOf(times)
}
