/**
 * What is wrong with a topic template such as `plant/{site}/{device_id}/{metric}`, if anything.
 * A level is literal text or one placeholder; `{device_id}` must be there, each name only once.
 */
export function topicTemplateProblem(template: string): string | undefined {
  const names = new Set<string>()
  for (const level of template.split('/')) {
    if (level === '') return 'has an empty level'
    const name = /^\{([a-z_]+)\}$/.exec(level)?.[1]
    if (name === undefined) {
      if (/[{}]/.test(level)) return `has the level ${level}, which is neither text nor {name}`
      if (/[+#]/.test(level)) return 'has a wildcard; write {name} for a level that varies'
      continue
    }
    if (names.has(name)) return `names {${name}} twice`
    names.add(name)
  }
  return names.has('device_id') ? undefined : 'does not name {device_id}'
}
