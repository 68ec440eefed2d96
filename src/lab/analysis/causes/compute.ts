import type { Evidence, Explanation, Scene } from '../explanation.ts'
import type { Change, Prediction } from '../prediction.ts'
import { ceilingWithout, costOf } from '../utilisation.ts'
import { figure } from './figure.ts'
import { atLeast, mergedWrites, poolTimes, predict } from './predict.ts'
import { FULL, MACHINE_FULL, machineText, processes, upper } from './words.ts'

const SLOW_LOOP_MS = 50

export function machine(scene: Scene): Explanation | undefined {
  const { use } = scene
  if (use.machinePct < MACHINE_FULL * 100) return undefined
  const [dearest] = use.roles
  const shares = use.roles.map(({ role, cpuPct }) => `${role} ${figure(cpuPct)} %`).join(', ')
  const evidence: Evidence[] = [
    { figure: 'machine', value: use.machinePct, unit: '% of all cores' },
    ...use.roles.map(({ role, cpuMsPerRequest }) => ({
      figure: `CPU of a request, ${role}`,
      value: cpuMsPerRequest,
      unit: 'ms',
    })),
    { figure: 'ceiling: cores ÷ CPU of a request', value: use.machineCeiling, unit: '/s' },
  ]
  return {
    cause: 'machine',
    text:
      `The machine is full: ${figure(use.machinePct)} % of ${use.cores} cores (${shares}, each of ` +
      `one core). ${upper(dearest.role)} is the dearest with ${figure(dearest.cpuMsPerRequest)} ms of CPU a ` +
      `request; all together they allow ${figure(use.machineCeiling)} requests/s.`,
    evidence,
    prediction: cheaper(scene),
  }
}

/** What would make a request cheaper on a full machine, and the most that it can give. */
function cheaper(scene: Scene): Prediction {
  const { use, settings, writeShare } = scene
  const has = (line: RegExp): boolean => settings.some(setting => line.test(setting))
  const [dearest] = use.roles
  if (dearest.role === 'database' && writeShare >= 0.5 && !has(/writes = merged/)) {
    return mergedWrites(scene)
  }
  const max = Math.max(scene.maxRate, ceilingWithout(use, 'database'))
  const range = {
    min: atLeast(scene, max),
    max,
    reason: 'even a database that costs no CPU leaves the rest of the request',
  }
  if (dearest.role === 'database' && writeShare < 0.5 && !has(/cache\.engine = (tiered|redis)/)) {
    const flags = ['--cache.engine=tiered', '--cache.queryTtlMs=10s', '--cache.latestTtlMs=10s']
    return predict(scene, { text: 'a cache for reads', flags, topology: 'cache' }, range)
  }
  if (dearest.role !== 'database' && use.pool !== undefined) {
    const reason = 'the cores are full, so that further connections only wait for them'
    return predict(scene, poolTimes(scene, 2), {
      ...{ min: 0.8 * scene.maxRate, max: 1.1 * scene.maxRate },
      reason,
    })
  }
  const change = { text: `${2 * use.cores} cores in place of ${use.cores}`, flags: [] }
  return predict(
    scene,
    { ...change, cores: 2 * use.cores },
    { min: 1.2 * scene.maxRate, max: 2.2 * scene.maxRate, reason: 'CPU is what is short' },
  )
}

export function apiCore(scene: Scene): Explanation | undefined {
  const { use } = scene
  const api = costOf(use, 'api')
  if (api === undefined || api.cpuPct < FULL * 100 * api.processes) return undefined
  // On a full machine another process has no core to run on.
  if (use.machinePct >= MACHINE_FULL * 100) return undefined
  const ceiling = (api.processes * 1000) / api.cpuMsPerRequest
  const more = api.processes + 1
  const change: Change = {
    text: `${more} API processes in place of ${api.processes}`,
    flags: [`--processes.min=${more}`, `--processes.max=${more}`],
    ...(api.processes === 1 ? { topology: 'scale' } : {}),
  }
  const max = Math.min(use.machineCeiling, (scene.maxRate * more) / api.processes)
  return {
    cause: 'api-core',
    text:
      `The API is full: ${processes(api.processes)} with one thread each use ` +
      `${figure(api.cpuPct)} % of a core, ${figure(api.cpuMsPerRequest)} ms of CPU a request, so ` +
      `that ${figure(ceiling)} requests/s are the end. The machine has room: ${machineText(scene)}.`,
    evidence: [
      { figure: 'API CPU', value: api.cpuPct, unit: '% of a core' },
      { figure: 'CPU of a request, api', value: api.cpuMsPerRequest, unit: 'ms' },
      { figure: 'ceiling: processes ÷ CPU of a request', value: ceiling, unit: '/s' },
      { figure: 'machine', value: use.machinePct, unit: '% of all cores' },
    ],
    prediction: predict(scene, change, {
      ...{ min: atLeast(scene, max), max: Math.max(max, scene.maxRate) },
      reason: 'then the machine’s cores are the limit',
    }),
  }
}

export function eventLoop(scene: Scene): Explanation | undefined {
  const delay = scene.step.probes.node.eventLoopP99Ms
  if (delay === undefined || delay < SLOW_LOOP_MS) return undefined
  const api = costOf(scene.use, 'api')
  const change = {
    text: 'two API processes in place of one',
    flags: ['--processes.min=2', '--processes.max=2'],
    topology: 'scale',
  }
  return {
    cause: 'event-loop',
    text:
      `The API’s event loop is held up: ${figure(delay)} ms (p99) between what is due and what is ` +
      `done, with ${figure(api?.cpuPct ?? 0)} % of a core used. Single long tasks delay all ` +
      `requests behind them.`,
    evidence: [
      { figure: 'event loop delay p99', value: delay, unit: 'ms' },
      { figure: 'API CPU', value: api?.cpuPct ?? 0, unit: '% of a core' },
    ],
    prediction: predict(scene, change, {
      ...{ min: 0.9 * scene.maxRate, max: Math.max(scene.maxRate, scene.use.machineCeiling) },
      reason: 'a request waits for the tasks of its own process only',
    }),
  }
}

export function unknown(scene: Scene): Explanation {
  const { use } = scene
  const said = scene.step.verdict.breaches.map(({ detail }) => detail).join('; ')
  return {
    cause: 'unknown',
    text:
      `Nothing that was measured is full: ${machineText(scene)}, ${figure(use.concurrency)} requests ` +
      `at a time (Little’s law)${pressureText(scene)}${said === '' ? '' : `; what broke first: ${said}`}. The rate may ` +
      `still rise, or something is short that the lab does not see.`,
    evidence: [
      { figure: 'machine', value: use.machinePct, unit: '% of all cores' },
      { figure: 'requests at a time: rate × latency', value: use.concurrency, unit: '' },
      ...pressure(scene),
    ],
    prediction: predict(
      scene,
      { text: 'the same once more', flags: [] },
      {
        ...{ min: 0.9 * scene.maxRate, max: 1.1 * scene.maxRate },
        reason: 'nothing is known that would change it',
      },
    ),
  }
}

/** Whether what is not full was waited for all the same. */
function pressure({ step }: Scene): Evidence[] {
  const { cpuPressurePct: value } = step.probes
  return value === undefined ? [] : [{ figure: 'CPU pressure', value, unit: '% of the time' }]
}

function pressureText(scene: Scene): string {
  const [found] = pressure(scene)
  if (found === undefined) return ''
  return `, and in ${figure(found.value)} % of the time something that could run waited for a core`
}
