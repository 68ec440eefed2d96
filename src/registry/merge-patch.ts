type Json = Readonly<Record<string, unknown>>

/**
 * JSON merge patch (RFC 7396) of an object by an object: null removes a member, objects merge,
 * anything else replaces. Neither argument changes. Members named `__proto__` are only names.
 * Recursive: the caller has bounded the depth (`isDeeper`).
 */
export function mergePatch(target: Json, patch: Json): Json {
  const members = new Map(Object.entries(target))
  for (const [name, value] of Object.entries(patch)) {
    const before = members.get(name)
    if (value === null) members.delete(name)
    else if (isObject(value)) {
      members.set(name, mergePatch(isObject(before) ? before : {}, value))
    } else members.set(name, value)
  }
  // Defines members instead of assigning them, so `__proto__` stays a member.
  return Object.fromEntries(members)
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether objects and arrays are nested in `value` more than `levels` deep. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  return Object.values(value).some(member => isDeeper(member, levels - 1))
}
