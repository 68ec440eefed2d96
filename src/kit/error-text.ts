const MAX_DEPTH = 8

/**
 * What an error and those that caused it say, for people who run Weir: a message that clients read may
 * leave out where a server is, and its cause does not.
 */
export function errorText(error: unknown): string {
  const texts: string[] = []
  for (const text of textsOf(error, 0)) {
    if (text !== '' && !texts.some(said => said.includes(text))) texts.push(text)
  }
  return texts.join(': ')
}

function textsOf(error: unknown, depth: number): string[] {
  if (!(error instanceof Error)) return depth === 0 ? [String(error)] : []
  if (depth > MAX_DEPTH) return []
  const gathered = error instanceof AggregateError ? (error.errors as unknown[]) : []
  return [error.message, ...[...gathered, error.cause].flatMap(one => textsOf(one, depth + 1))]
}
