/** What is wrong with an MQTT filter such as `devices/+/telemetry`, if anything. */
export function topicFilterProblem(filter: string): string | undefined {
  if (filter === '') return 'is empty'
  if (filter.startsWith('$share/')) return 'begins with $share; the group belongs in `share`'
  const levels = filter.split('/')
  for (const [i, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || i < levels.length - 1)) {
      return 'has a # that is not the whole last level'
    }
    if (level.includes('+') && level !== '+') return 'has a + that is not a whole level'
    if (/[{}]/.test(level)) return 'has a {name}, which belongs in a template'
  }
  return undefined
}
