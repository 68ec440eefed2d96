import type { Calibration, SolutionFigures } from './calibration.ts'

/** Of a machine that never was: figures that can be computed with by hand. */
export function testCalibration(...solutions: Partial<SolutionFigures>[]): Calibration {
  return {
    formatVersion: 1,
    source: {
      ...{ run: 'r1', startedAt: '2026-11-20T10:00:00.000Z', command: 'weir lab run' },
      ...{ commit: '0123456789abcdef', cpu: 'Test CPU', cores: 2, memoryBytes: 4e9 },
      ...{ kernel: '6.1', node: '24.0.0', isQuick: false, blocks: 3 },
    },
    solutions: solutions.map(testSolution),
    warnings: [],
  }
}

/** Holds 1000 writes a second of one point, or 2000 queries; a core does as much. */
function testSolution(given: Partial<SolutionFigures>): SolutionFigures {
  const topology = given.topology ?? given.solution ?? 'embedded'
  return {
    ...{ solution: topology, topology, flags: [], confirmed: [] },
    pointsPerWrite: 1,
    share: { perWrite: 1e-3, perQuery: 5e-4 },
    cpuSeconds: { api: { perWrite: 1e-3, perQuery: 5e-4 } },
    ...{ isSeparated: true, fitError: 0.05, memoryBytes: 1e9, devices: 1000 },
    disk: { bytesPerPoint: 2, points: 10_000_000 },
    ...given,
  }
}
