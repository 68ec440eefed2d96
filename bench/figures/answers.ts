import { bucketsPath, fleetQuery, rawPath, type ReadRange } from '../load/read-requests.ts'

const HOURS = 24

/**
 * Asks each kind of query some times and counts what comes back, so that no server is praised for
 * fast answers that are empty. `readings` is how many each series has over the day.
 */
export async function checkAnswers(
  port: number,
  range: ReadRange,
  readings: number,
): Promise<string[]> {
  const base = `http://127.0.0.1:${port}`
  const problems: string[] = []
  const check = async (
    what: string,
    answer: Promise<Response>,
    bounds: [least: number, most: number],
  ): Promise<void> => {
    const response = await answer
    const text = await response.text()
    const found = text.match(/"\d{4}-\d\d-\d\dT/g)?.length ?? 0
    if (response.status !== 200) problems.push(`${what}: ${response.status} ${text.slice(0, 200)}`)
    else if (found < bounds[0] || found > bounds[1]) {
      problems.push(`${what}: ${found} times in the answer, expected ${bounds[0]} to ${bounds[1]}`)
    }
  }
  const perHour = readings / HOURS
  for (let i = 0; i < 5; i++) {
    await check('raw', fetch(base + rawPath(range, Math.random)), [
      Math.floor(perHour) - 1,
      Math.ceil(perHour) + 3,
    ])
    const buckets = Math.min(288, readings)
    await check('buckets', fetch(base + bucketsPath(range, Math.random)), [
      buckets - 2,
      buckets + 3,
    ])
    const body = fleetQuery(range, Math.random)
    const headers = { 'content-type': 'application/json' }
    const query = fetch(`${base}/api/v1/query`, { method: 'POST', body, headers })
    await check('fleet', query, [1200, 1310])
  }
  return problems
}
