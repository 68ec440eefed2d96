import { availableParallelism } from 'node:os'

const MIN = 4
const MAX = 32

/**
 * Connections of a pool whose size is not given (0): two for each core and one more. A core runs one
 * statement while another one waits for the disk; what is beyond that only waits in the server instead
 * of here (https://wiki.postgresql.org/wiki/Number_Of_Database_Connections). The cores are this
 * machine's: where the database's are others, the configuration says the number.
 */
export function poolSizeOf(given: number, cores = availableParallelism()): number {
  return given > 0 ? given : Math.min(MAX, Math.max(MIN, 2 * cores + 1))
}
