import type { Workload } from '../workloads/workload.ts'

/**
 * Whether requests of this name bring points: a query may be a POST too. Results without definitions
 * name their requests by method and what they are about.
 */
export function isWrite(workload: Workload | undefined, name: string): boolean {
  const kind = workload?.requests.find(request => request.name === name)
  return kind === undefined ? !name.startsWith('GET ') : kind.points > 0
}
