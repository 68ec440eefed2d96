import type { Evidence, Explanation, Scene } from '../explanation.ts'
import type { Prediction } from '../prediction.ts'
import { costOf } from '../utilisation.ts'
import { figure } from './figure.ts'
import { atLeast, mergedWrites, poolTimes, predict } from './predict.ts'
import { FULL, MACHINE_FULL, machineText } from './words.ts'

/** Share of the database's samples in one kind of wait from which it is a cause. */
const WAITS = 0.3
const FEW_HITS = 0.5
/** Share of a request's time that is most of it. */
const MOST = 0.5

export function queueLag(scene: Scene): Explanation | undefined {
  const { step, use } = scene
  const { backlog, freshness, node } = step.probes
  const isBehind = step.verdict.breaches.some(
    ({ rule }) => rule === 'backlog' || rule === 'freshness',
  )
  const isQueued = costOf(use, 'queue') !== undefined || costOf(use, 'consumer') !== undefined
  if (!isBehind || !(isQueued || (node.lagMaxPoints ?? 0) > 0)) return undefined
  const consumer = costOf(use, 'consumer')
  const isCore = consumer !== undefined && consumer.cpuPct >= FULL * 100 * consumer.processes
  const written = step.probes.database?.rowsWrittenPerSecond
  const evidence: Evidence[] = [
    { figure: 'backlog grows', value: backlog.slopePerSecond, unit: 'points/s' },
    { figure: 'backlog at most', value: backlog.maxPoints, unit: 'points' },
    { figure: 'freshness p99', value: freshness.p99Ms, unit: 'ms' },
  ]
  if (consumer) {
    evidence.push({ figure: 'consumer CPU', value: consumer.cpuPct, unit: '% of a core' })
  }
  if (written !== undefined) evidence.push({ figure: 'rows written', value: written, unit: '/s' })
  const why = isCore
    ? `The consumer uses ${figure(consumer.cpuPct)} % of its core: it is what is full.`
    : `It waits for what it writes to: ${machineText(scene)}.`
  const processors = (consumer?.processes ?? 1) + 1
  const change = {
    text: `${processors} consumers in place of ${processors - 1}`,
    flags: [`--processes.processors=${processors}`],
  }
  const max = isCore ? Math.min(use.machineCeiling, 2 * scene.maxRate) : 1.1 * scene.maxRate
  const reason = isCore ? 'then the machine’s cores are the limit' : 'what they write to is full'
  return {
    cause: 'queue-lag',
    text:
      `The consumer is slower than the gateway: at ${figure(step.rate)} requests/s what waits in ` +
      `the queue grows by ${figure(backlog.slopePerSecond)} points/s, and the newest points are ` +
      `seen after ${figure(freshness.p99Ms)} ms (p99). ${why}`,
    evidence,
    prediction: predict(scene, change, { min: 0.9 * scene.maxRate, max, reason }),
  }
}

export function pool(scene: Scene): Explanation | undefined {
  const { use } = scene
  if (use.pool === undefined) return undefined
  const { size, busy, waiting, waitMs, serviceMs, ceiling } = use.pool
  if (busy < FULL * size || waiting < 1) return undefined
  const byPool = 2 * Math.max(scene.maxRate, 1)
  const max = Math.min(byPool, use.machineCeiling)
  const isFull = use.machinePct >= MACHINE_FULL * 100
  const reason =
    isFull || use.machineCeiling < byPool
      ? `then the CPU is the limit, of which ${use.roles[0].role} uses most`
      : 'each connection does what it does now'
  return {
    cause: 'pool',
    text:
      `The pool is full: ${size} connections × ${figure(1000 / serviceMs)} requests/s each = ` +
      `${figure(ceiling)}/s. ${figure(busy)} of them are in use, and ${figure(waiting)} requests ` +
      `wait for one, which is ${figure(waitMs)} ms of the ${figure(use.meanLatencyMs)} ms that a ` +
      `request takes.`,
    evidence: [
      { figure: 'pool', value: size, unit: 'connections' },
      { figure: 'in use', value: busy, unit: 'connections' },
      { figure: 'waiting', value: waiting, unit: 'requests' },
      { figure: 'wait, by Little’s law', value: waitMs, unit: 'ms' },
      { figure: 'service time: in use ÷ rate', value: serviceMs, unit: 'ms' },
      { figure: 'ceiling: pool ÷ service time', value: ceiling, unit: '/s' },
    ],
    prediction: predict(scene, poolTimes(scene, 2), {
      ...{ min: atLeast(scene, max), max: Math.max(max, scene.maxRate) },
      reason,
    }),
  }
}

export function wal(scene: Scene): Explanation | undefined {
  const share = waitShare(scene, /wal/i)
  const database = scene.step.probes.database
  if (database === undefined || share < WAITS) return undefined
  const { walBytesPerSecond, transactionsPerSecond } = database
  const isMerged = scene.settings.some(setting => /writes = merged/.test(setting))
  return {
    cause: 'wal',
    text:
      `The database waits for its log on disk: ${figure(share * 100)} % of what its connections ` +
      `were seen at is waiting for the WAL, at ${figure(transactionsPerSecond)} transactions/s ` +
      `and ${figure(walBytesPerSecond / 1e6)} MB/s of WAL.`,
    evidence: [
      { figure: 'waits for WAL', value: share * 100, unit: '% of samples' },
      { figure: 'transactions', value: transactionsPerSecond, unit: '/s' },
      { figure: 'WAL', value: walBytesPerSecond, unit: 'bytes/s' },
    ],
    prediction: isMerged ? quickerDisk(scene) : mergedWrites(scene),
  }
}

function quickerDisk(scene: Scene): Prediction {
  return predict(
    scene,
    { text: 'a disk with half the cost of an fsync', flags: [], fsync: 0.5 },
    {
      ...{ min: scene.maxRate, max: Math.max(scene.maxRate, scene.use.machineCeiling) },
      reason: 'then the machine’s cores are the limit',
    },
  )
}

export function locks(scene: Scene): Explanation | undefined {
  const share = waitShare(scene, /^(?!.*wal)l?w?lock/i)
  if (share < WAITS) return undefined
  const waits = Object.entries(scene.step.probes.database?.waits ?? {})
  const [most] = waits.filter(([name]) => /lock/i.test(name)).sort((a, b) => b[1] - a[1])
  return {
    cause: 'locks',
    text:
      `Statements wait for each other: ${figure(share * 100)} % of what the connections were seen ` +
      `at is a lock, mostly ${most[0]}.`,
    evidence: [{ figure: 'waits for locks', value: share * 100, unit: '% of samples' }],
    prediction: predict(scene, poolTimes(scene, 0.5), {
      ...{ min: scene.maxRate, max: 1.5 * scene.maxRate },
      reason: 'fewer statements at a time wait less for each other',
    }),
  }
}

/** Not full on average: it is so in moments, in which what is waited for gathers. */
export function poolInMoments(scene: Scene): Explanation | undefined {
  const { use } = scene
  if (use.pool === undefined) return undefined
  const { size, busy, waiting, waitMs } = use.pool
  if (busy >= FULL * size || waiting < 1 || waitMs < MOST * use.meanLatencyMs) return undefined
  return {
    cause: 'pool',
    text:
      `Requests wait for a connection: ${figure(waitMs)} ms of the ${figure(use.meanLatencyMs)} ms ` +
      `that each takes, ${figure(waiting)} of them at a time, while on average ${figure(busy)} of ` +
      `${size} connections are in use. The pool is full in moments in which the database answers ` +
      `late; ${machineText(scene)}.`,
    evidence: [
      { figure: 'pool', value: size, unit: 'connections' },
      { figure: 'in use', value: busy, unit: 'connections' },
      { figure: 'waiting', value: waiting, unit: 'requests' },
      { figure: 'wait, by Little’s law', value: waitMs, unit: 'ms' },
    ],
    prediction: predict(scene, poolTimes(scene, 2), {
      ...{ min: 0.9 * scene.maxRate, max: Math.max(scene.maxRate, use.machineCeiling) },
      reason: 'in such moments they wait for the database in place of the pool, unless it has room',
    }),
  }
}

export function cache(scene: Scene): Explanation | undefined {
  const { cacheHitShare } = scene.step.probes.node
  const isCached = costOf(scene.use, 'cache') !== undefined
  if (!isCached || cacheHitShare === undefined || scene.writeShare > 0.9) return undefined
  if (cacheHitShare >= FEW_HITS) return undefined
  const misses = 1 - cacheHitShare
  const change = {
    text: 'answers that are kept ten times as long',
    flags: ['--cache.latestTtlMs=100s'],
  }
  return {
    cause: 'cache',
    text:
      `The cache answers ${figure(cacheHitShare * 100)} % of the reads; the other ` +
      `${figure(misses * 100)} % ask it and the database too. Every write of a device forgets what ` +
      `was kept of it.`,
    evidence: [
      { figure: 'cache hits', value: cacheHitShare * 100, unit: '% of reads' },
      { figure: 'writes', value: scene.writeShare * 100, unit: '% of requests' },
    ],
    prediction: predict(scene, change, {
      ...{ min: 0.9 * scene.maxRate, max: 1.1 * scene.maxRate },
      reason: 'writes empty it, not age',
    }),
  }
}

function waitShare({ step }: Scene, kind: RegExp): number {
  const waits = Object.entries(step.probes.database?.waits ?? {})
  return waits.reduce((sum, [name, share]) => sum + (kind.test(name) ? share : 0), 0)
}
