import type { ScanRead, SeriesPoints } from '../../ports/store.ts'
import type { Answer, Question, ScanPlace } from './protocol.ts'
import { unpackPoints } from './unpack.ts'

/**
 * The pages of a scan, each asked for while the caller has the one before. The store's thread keeps
 * nothing between two pages, so a caller who stops leaves nothing behind.
 */
export async function* scanPages(
  request: ScanRead,
  ask: (question: Question) => Promise<Answer>,
): AsyncGenerator<readonly SeriesPoints[], void, void> {
  const page = (from: ScanPlace): Promise<Answer> => {
    const answer = ask({ kind: 'scan', request, from })
    // Awaited below; until then, or when the caller stops, a failure is not unhandled.
    answer.catch(() => undefined)
    return answer
  }
  let pending: Promise<Answer> | undefined = page({ device: 0, metric: 0, time: 0 })
  while (pending !== undefined) {
    const answer: Answer = await pending
    if (!('packed' in answer)) return
    pending = answer.next === undefined ? undefined : page(answer.next)
    const points = unpackPoints(answer.packed)
    if (points.length > 0) yield points
  }
}
