/** Microseconds since 1970 as a constant of SQL, so that the planner leaves out other partitions. */
export function timeLiteral(timeUs: number): string {
  const clamped = Math.min(Math.max(Math.ceil(timeUs), 0), 2 ** 53)
  const seconds = new Date(Math.floor(clamped / 1e6) * 1000).toISOString().slice(0, 19)
  return `'${seconds}.${String(clamped % 1e6).padStart(6, '0')}Z'::timestamptz`
}
