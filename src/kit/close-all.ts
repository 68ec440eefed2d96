/**
 * Calls all of them, one after the other, also those behind one that fails.
 *
 * @throws the first failure, when all have been called.
 */
export async function closeAll(closers: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = []
  for (const close of closers) await close().catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}
