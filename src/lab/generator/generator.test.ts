import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { until } from '../../../test/fixtures/until.ts'
import { startLoad, startWithin } from './generator.ts'
import type { EndpointResult, LoadPlan, LoadResult, Tick } from './load.ts'
import { constantRate, loadPlan, startTarget, WORKLOAD, WRITES } from './target.fixture.ts'

async function run(plan: LoadPlan, onTick?: (tick: Tick) => void): Promise<LoadResult> {
  return (await startLoad(plan, onTick)).result
}

/** Of a histogram as it is written, how many values are at least so large. */
function countFrom(endpoint: EndpointResult, ms: number): number {
  const histogram = decodeFromCompressedBase64(endpoint.histogram)
  let below = 0
  for (let percentile = 0; percentile < 100; percentile += 0.05)
    if (histogram.getValueAtPercentile(percentile) < ms * 1000) below = percentile
  return Math.round(endpoint.latency.count * (1 - below / 100))
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

describe('the load generator', { concurrency: 3 }, () => {
  it('achieves what it offers of a server that does nothing', async t => {
    const target = await startTarget(t)
    const ticks: Tick[] = []
    const options = { warmUpMs: 500 }
    const plan = loadPlan(target.url, constantRate(200, 2000), options)
    const result = await run(plan, tick => ticks.push(tick))
    const { requests } = await target.report()
    assert.equal(requests, 400)
    assert.equal(result.measuredMs, 1500)
    assert.equal(result.offeredRate, 200)
    assert.equal(result.latency.count, 300)
    assert.equal(sum(result.endpoints.map(({ successes }) => successes)), 300)
    assert.equal(result.errorShare, 0)
    assert.equal(result.firstFailure, undefined)
    assert.equal(result.uncertainPoints, 0)
    assert.ok(result.achievedRate <= 200)
    assert.ok(result.sendLag.count <= 300)
    assert.ok(result.generatorCpuShare > 0)
    assert.deepEqual(result.ticks, ticks)
    assert.equal(sum(ticks.map(({ offered }) => offered)), 400)
    assert.equal(sum(ticks.map(({ achieved }) => achieved)), 400)
    for (const { latency, histogram, statuses, requests } of result.endpoints) {
      const decoded = decodeFromCompressedBase64(histogram)
      assert.equal(decoded.totalCount, requests)
      assert.equal(Math.min(decoded.getValueAtPercentile(99) / 1000, latency.maxMs), latency.p99Ms)
      assert.deepEqual(statuses, { 200: requests })
    }
  })

  it('sends what is due in time again after all connections were busy', async t => {
    const target = await startTarget(t, { delayMs: 5 })
    const executor = { ...constantRate(100, 2000), arrivals: 'poisson' } as const
    const { sendLag } = await run(loadPlan(target.url, executor, { connections: 1 }))
    assert.ok(sendLag.count > 10, `${sendLag.count}`)
    // A timer that was set while nothing could be sent would be tens of milliseconds late.
    assert.ok(sendLag.p50Ms < 8, `half of them were later than ${sendLag.p50Ms} ms`)
  })

  it('achieves the rate that it offers where every answer comes before the end', async t => {
    const target = await startTarget(t)
    const stages = [
      { rate: 200, durationMs: 500 },
      { rate: 0, durationMs: 600_000 },
    ]
    const executor = { kind: 'ramping-arrival-rate', arrivals: 'poisson', startRate: 0 } as const
    const plan = loadPlan(target.url, { ...executor, stages, steps: true, stopsOnBreach: false })
    const load = await startLoad(plan, ({ inFlight, waiting }) => {
      if (inFlight + waiting === 0) load.stop()
    })
    const { offeredRate, achievedRate, latency, stages: found } = await load.result
    assert.ok(latency.count > 50)
    assert.equal(achievedRate, offeredRate)
    assert.deepEqual([found[0].toMs, found[0].latency.count], [500, latency.count])
  })

  it('sees a delay of 5 ms', async t => {
    const target = await startTarget(t, { delayMs: 5, isChunked: true })
    const began = performance.now()
    const { latency } = await run(loadPlan(target.url, constantRate(100, 1000)))
    assert.equal(latency.count, 100)
    // Timers of Node count whole milliseconds: one may be a fraction early.
    assert.ok(latency.p50Ms >= 4, `p50 ${latency.p50Ms} ms`)
    assert.ok(latency.p99Ms >= latency.p50Ms && latency.meanMs >= 4)
    assert.ok(latency.maxMs < performance.now() - began, `${latency.maxMs} ms`)
  })

  it('counts every request that was due while the server stood still', async t => {
    const target = await startTarget(t)
    const load = await startLoad(loadPlan(target.url, constantRate(200, 4000), { connections: 4 }))
    const began = performance.now()
    await sleep(500)
    process.kill(target.pid, 'SIGSTOP')
    const stoppedAt = performance.now()
    await sleep(2000)
    const stoodMs = performance.now() - stoppedAt
    process.kill(target.pid, 'SIGCONT')
    const result = await load.result
    assert.equal(result.latency.count, 800)
    // Of four connections, a closed loop would have seen four slow requests.
    const late = sum(result.endpoints.map(endpoint => countFrom(endpoint, 1000)))
    const fromMs = stoppedAt - began
    const untilMs = Math.min(4000, fromMs + stoodMs - 1000)
    const expected = ((untilMs - fromMs) / 1000) * 200
    assert.ok(late >= expected - 10, `${late} of ${expected} took a second`)
    assert.ok(result.latency.maxMs >= stoodMs - 50, `${result.latency.maxMs} ms`)
    assert.ok(result.latency.p99Ms >= 1900, `p99 ${result.latency.p99Ms} ms`)
    assert.ok(result.sendLag.count < 800)
    assert.ok(result.ticks.some(({ waiting, inFlight }) => waiting > 50 && inFlight === 4))
  })

  it('tells what was acknowledged, so that a server that loses points is found out', async t => {
    const target = await startTarget(t, { loseEvery: 1000 })
    const plan = loadPlan(target.url, constantRate(600, 2000), { workload: WRITES, warmUpMs: 200 })
    const { acknowledgedPoints, uncertainPoints } = await run(plan)
    const { held } = await target.report()
    assert.equal(acknowledgedPoints, 2400)
    assert.equal(uncertainPoints, 0)
    assert.equal(held, 2398)
  })

  it('counts broken connections as failures, opens them anew and tries nothing again', async t => {
    const target = await startTarget(t, { breakEvery: 10 })
    const plan = loadPlan(target.url, constantRate(200, 1000), { workload: WRITES })
    const result = await run(plan)
    const { requests, broken, connections } = await target.report()
    assert.deepEqual([requests, broken], [200, 20])
    assert.ok(connections > 8)
    const [{ successes, failures, timeouts, statuses }] = result.endpoints
    assert.deepEqual(
      { successes, failures, timeouts },
      { successes: 180, failures: 20, timeouts: 0 },
    )
    assert.deepEqual(statuses, { 0: 20, 200: 180 })
    assert.equal(result.errorShare, 0.1)
    assert.deepEqual([result.acknowledgedPoints, result.uncertainPoints], [360, 40])
    assert.match(result.firstFailure!, /closed|ECONNRESET|EPIPE/)
  })

  it('follows a server that says it will close the connection', async t => {
    const target = await startTarget(t, { closesEvery: 7 })
    const result = await run(loadPlan(target.url, constantRate(200, 1000)))
    assert.equal(result.errorShare, 0)
    assert.equal(result.latency.count, 200)
    assert.ok((await target.report()).connections > 8)
  })

  it('gives up requests that are never answered, sent or not', async t => {
    const target = await startTarget(t, { isMute: true })
    const options = { connections: 2, timeoutMs: 400, workload: WRITES }
    const result = await run(loadPlan(target.url, constantRate(50, 1000), options))
    const [{ requests, failures, timeouts, statuses, latency }] = result.endpoints
    assert.deepEqual([requests, failures, timeouts], [50, 50, 50])
    assert.deepEqual(statuses, {})
    assert.equal(result.achievedRate, 0)
    assert.ok(latency.maxMs >= 400)
    assert.ok(result.uncertainPoints >= 4 && result.uncertainPoints < 100)
    await until('the server has read them', async () => {
      const { requests: sent } = await target.report()
      return 2 * sent === result.uncertainPoints
    })
    assert.match(result.firstFailure!, /no answer/)
  })

  it('takes what is no HTTP for a broken connection', async t => {
    const target = await startTarget(t, { garbage: 'SSH-2.0-OpenSSH\r\n\r\n' })
    const result = await run(loadPlan(target.url, constantRate(50, 500), { workload: WRITES }))
    assert.deepEqual(result.endpoints[0].statuses, { 0: 25 })
    assert.equal(result.uncertainPoints, 50)
    assert.match(result.firstFailure!, /not HTTP/)
  })

  it('counts refusals by their status, and what a kind tolerates apart', async t => {
    const target = await startTarget(t, { status: 409 })
    const workload = { ...WORKLOAD, requests: [...WORKLOAD.requests] }
    workload.requests[1] = { ...workload.requests[1], tolerates: [409] }
    const result = await run(loadPlan(target.url, constantRate(100, 500), { workload }))
    const [write, read] = result.endpoints
    assert.equal(write.failures, write.requests)
    assert.equal(read.tolerated, read.requests)
    assert.equal(write.requests + read.requests, 50)
    assert.deepEqual(write.statuses, { 409: write.requests })
    assert.equal(result.uncertainPoints, 2 * write.requests)
    assert.equal(result.firstFailure, 'write: status 409')
  })

  it('sends the same for the same seed, whatever the server does', async t => {
    const seen = async (delayMs: number, seed: number): Promise<string[]> => {
      const target = await startTarget(t, { delayMs })
      const executor = { ...constantRate(300, 600), arrivals: 'poisson' as const }
      const { startedAt } = await run(loadPlan(target.url, executor, { seed, connections: 3 }))
      const { seen } = await target.report()
      return seen
        .map(line => line.slice(line.indexOf(' ') + 1))
        .map(line => line.replace(/"at":"([^"]+)"/, (_, at: string) => sinceStart(at, startedAt)))
        .sort()
    }
    const [fast, slow, other] = await Promise.all([seen(0, 7), seen(40, 7), seen(0, 8)])
    assert.ok(fast.length > 100)
    assert.deepEqual(slow, fast)
    assert.notDeepEqual(other, fast)
  })

  it('ends a ramp when a stage breaks the SLO', async t => {
    const target = await startTarget(t, { serialMs: 20 })
    const stages = [
      { rate: 10, durationMs: 1000 },
      { rate: 500, durationMs: 20_000 },
    ]
    const result = await run(
      loadPlan(target.url, {
        ...{ kind: 'ramping-arrival-rate', arrivals: 'constant', startRate: 10, stages },
        ...{ steps: true, stopsOnBreach: true },
      }),
    )
    assert.ok(result.stoppedAtMs! < 20_000, `stopped at ${result.stoppedAtMs}`)
    const last = result.stages.at(-1)!
    assert.ok(last.breaches.length > 0)
    assert.equal(last.toMs, result.stoppedAtMs)
    assert.ok(result.stages[0].latency.count <= 10)
  })

  it('has the stages of a burst in its result', async t => {
    const target = await startTarget(t)
    const stage = (rate: number) => ({ rate, durationMs: 500 })
    const result = await run(
      loadPlan(target.url, {
        ...{ kind: 'burst', arrivals: 'constant', warmUp: stage(20), burst: stage(400) },
        coolDown: stage(40),
      }),
    )
    const found = result.stages.map(({ rate, offeredRate, fromMs }) => [rate, offeredRate, fromMs])
    assert.deepEqual(found, [
      [20, 20, 0],
      [400, 400, 500],
      [40, 40, 1000],
    ])
    assert.deepEqual(
      result.stages.map(({ latency }) => latency.count),
      [10, 200, 20],
    )
  })

  it('has users who wait for their answers', async t => {
    const target = await startTarget(t, { delayMs: 5 })
    const executor = { kind: 'closed', users: 5, thinkMs: [5, 10], durationMs: 60_000 } as const
    const result = await run(loadPlan(target.url, { ...executor, iterations: 8 }))
    const { requests, mostAtOnce } = await target.report()
    assert.equal(requests, 40)
    assert.ok(mostAtOnce <= 5)
    assert.equal(result.latency.count, 40)
    // There are more connections than users: one was always free.
    assert.equal(result.sendLag.count, 40)
    assert.ok(result.sendLag.maxMs > 0 && result.sendLag.maxMs < result.measuredMs)
    // Eight answers and the pauses between them.
    assert.ok(result.measuredMs >= 8 * 4 + 7 * 5 && result.measuredMs < 60_000)
    assert.equal(result.stoppedAtMs, undefined)
  })

  it('lets devices come back, each on a connection of its own', async t => {
    const target = await startTarget(t)
    const executor = { kind: 'reconnect-storm', withinMs: 300, durationMs: 60_000 } as const
    const result = await run(loadPlan(target.url, { ...executor, requestsEach: 3 }))
    const { connections, seen } = await target.report()
    assert.equal(connections, WORKLOAD.devices)
    assert.equal(result.latency.count, 3 * WORKLOAD.devices)
    assert.equal(result.acknowledgedPoints, 6 * WORKLOAD.devices)
    const byConnection = Map.groupBy(seen, line => line.slice(0, line.indexOf('{')))
    assert.equal(byConnection.size, WORKLOAD.devices)
    for (const lines of byConnection.values()) {
      const times = lines.map(line => /"at":"([^"]+)"/.exec(line)![1])
      assert.equal(new Set(times).size, 3)
      assert.deepEqual(times, times.toSorted())
    }
  })

  it('goes on with a storm when devices are cut off', async t => {
    const target = await startTarget(t, { breakEvery: 5 })
    const executor = { kind: 'reconnect-storm', withinMs: 100, durationMs: 60_000 } as const
    const result = await run(loadPlan(target.url, { ...executor, requestsEach: 2 }))
    assert.equal((await target.report()).requests, 100)
    assert.deepEqual(result.endpoints[0].statuses, { 0: 20, 200: 80 })
  })

  it('goes on with a storm when the server closes connections behind answers', async t => {
    const target = await startTarget(t, { closesEvery: 5 })
    const executor = { kind: 'reconnect-storm', withinMs: 100, durationMs: 60_000 } as const
    const plan = loadPlan(target.url, { ...executor, requestsEach: 4 }, { workload: WRITES })
    const result = await run(plan)
    const { requests, connections } = await target.report()
    assert.equal(requests, 4 * WRITES.devices)
    assert.ok(connections > WRITES.devices)
    assert.deepEqual(result.endpoints[0].statuses, { 200: requests })
    assert.deepEqual([result.acknowledgedPoints, result.uncertainPoints], [2 * requests, 0])
  })

  it('ends early when it is told to', async t => {
    const target = await startTarget(t)
    const load = await startLoad(loadPlan(target.url, constantRate(100, 600_000)), () =>
      load.stop(),
    )
    const { stoppedAtMs, measuredMs, latency } = await load.result
    assert.equal(measuredMs, stoppedAtMs)
    assert.equal(latency.count, (await target.report()).requests)
  })

  it('counts what was due and waited when it is told to end', async t => {
    const target = await startTarget(t, { serialMs: 100 })
    const options = { connections: 1, workload: WRITES }
    const plan = loadPlan(target.url, constantRate(100, 600_000), options)
    let waited = 0
    const load = await startLoad(plan, ({ waiting }) => {
      waited = Math.max(waited, waiting)
      load.stop()
    })
    const { endpoints, offeredRate, errorShare, measuredMs, ...result } = await load.result
    const [{ requests, successes, timeouts }] = endpoints
    const { requests: sent } = await target.report()
    assert.equal(successes, sent)
    assert.ok(waited > 50 && timeouts >= waited, `${timeouts} of ${waited} that waited`)
    assert.deepEqual([requests, errorShare], [sent + timeouts, timeouts / requests])
    assert.ok(Math.abs(offeredRate - 100) < 2, `${offeredRate}/s in ${measuredMs} ms`)
    assert.equal(result.uncertainPoints, 0)
    assert.match(result.firstFailure!, /waited for a connection/)
  })

  it('says why it could not begin, and when its process has ended', async t => {
    const target = await startTarget(t)
    const plan = loadPlan(target.url, constantRate(100, 60_000))
    await assert.rejects(startLoad({ ...plan, url: 'https://127.0.0.1:1' }), /plain http/)
    await assert.rejects(startLoad({ ...plan, url: 'http://127.0.0.1:1' }), /no connection to/)
    const workload = { ...WORKLOAD, requests: [] }
    await assert.rejects(startLoad({ ...plan, workload }), /has no requests/)
    const load = await startLoad(plan)
    process.kill(load.pid, 'SIGKILL')
    await assert.rejects(load.result, /has ended by SIGKILL/)
  })

  it('ends at once by its signal, before it has begun too', async t => {
    const target = await startTarget(t)
    const plan = loadPlan(target.url, constantRate(100, 60_000))
    await assert.rejects(startLoad(plan, undefined, AbortSignal.abort()), /has ended by SIGKILL/)
    const abort = new AbortController()
    const load = await startLoad(plan, undefined, abort.signal)
    abort.abort()
    await assert.rejects(load.result, /has ended by SIGKILL/)
  })

  it('leaves the signals that its whole group is sent to the one that started it', async t => {
    const target = await startTarget(t)
    const load = await startLoad(loadPlan(target.url, constantRate(100, 600_000)), () =>
      load.stop(),
    )
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(load.pid, signal)
    const { latency } = await load.result
    assert.ok(latency.count > 0)
  })

  it('is killed when it hangs', async t => {
    const target = await startTarget(t)
    const plan = loadPlan(target.url, constantRate(100, 100), { timeoutMs: 1000 })
    const load = await startWithin(500, [plan])
    process.kill(load.pid, 'SIGSTOP')
    await assert.rejects(load.result, /no result after 2600 ms/)
    await until('the generator has ended', () => hasEnded(load.pid))
  })

  it('ends with the process that started it', async t => {
    const target = await startTarget(t)
    const plan = loadPlan(target.url, constantRate(100, 600_000))
    const generator = new URL('./generator.ts', import.meta.url)
    const script = `const { startLoad } = await import(${JSON.stringify(generator)})
      console.log((await startLoad(${JSON.stringify(plan)})).pid)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    parent.kill('SIGKILL')
    await until('the generator has ended', () => hasEnded(Number(line.toString())))
  })
})

function sinceStart(at: string, startedAt: string): string {
  return `after ${Date.parse(at) - Date.parse(startedAt)} ms`
}

function hasEnded(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}
