/** The candidate that was probably meant, if one is near enough. */
export function suggestion(written: string, candidates: Iterable<string>): string | undefined {
  const wanted = written.toLowerCase()
  const names = [...candidates]
  const longer = names.filter(name => name.toLowerCase().startsWith(wanted))
  if (longer.length === 1) return longer[0]
  let best: string | undefined
  // A third of the letters may be wrong, but never so many that anything matches a short name.
  let bestDistance = Math.min(4, Math.max(1, Math.floor(wanted.length / 3))) + 1
  for (const candidate of names) {
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein: how many letters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, previous[j] + 1, row[j - 1] + 1))
    }
    previous = row
  }
  return previous[b.length]
}
