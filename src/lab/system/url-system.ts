import type { SystemUnderTest } from './system.ts'

/** A system that runs already, of which only its address is known: nothing of it is started or stopped. */
export function urlSystem(url: string, key?: string): SystemUnderTest {
  return {
    solution: { id: 'url', topology: '', flags: [], summary: `the system at ${url}` },
    url: url.replace(/\/+$/, ''),
    ...(key === undefined ? {} : { key }),
    processes: () => [],
    diskBytes: () => Promise.resolve(0),
    stop: () => Promise.resolve(),
  }
}
