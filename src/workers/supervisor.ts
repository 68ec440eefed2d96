import type { Clock } from '../ports/clock.ts'
import { decideScale, type ScalingPolicy } from './autoscale.ts'
import type { Child } from './child.ts'
import { LiveRelay } from './live-relay.ts'
import type { Answer, FromWorker } from './messages.ts'
import { supervisorMetrics, type GroupFigures } from './supervisor-metrics.ts'
import { WorkerSlot, type RestartPolicy, type SlotLogger } from './worker-slot.ts'

/** Worker processes of one kind. */
export interface GroupPlan {
  /** `gateway`: its workers are `gateway-1`, `gateway-2`, … */
  readonly kind: string
  readonly scaling: ScalingPolicy
  /** What the worker of that place, from 0, is to run. */
  readonly planOf: (place: number) => unknown
  /** Whether a replacement is ready before the one that it replaces ends. */
  readonly overlaps: boolean
}

export interface SupervisorOptions {
  /** In the order in which they stop. */
  readonly groups: readonly GroupPlan[]
  readonly fork: () => Child
  readonly clock: Clock
  readonly logger: SlotLogger
  readonly drainMs: number
  readonly stopTimeoutMs: number
  readonly restarts?: RestartPolicy
}

interface Group {
  readonly plan: GroupPlan
  readonly slots: WorkerSlot[]
  readonly figures: GroupFigures
  changedMs: number
}

interface Gathering {
  readonly answers: Answer[]
  readonly missing: Set<Child>
  readonly finish: () => void
}

const SCALE_INTERVAL_MS = 5000
/** Workers that do not answer within it are left out. */
const GATHER_TIMEOUT_MS = 2000

/**
 * Runs worker processes: starts them, starts them again when they die, scales them, replaces them
 * one at a time, and carries what they have to say to each other. It serves nothing itself.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #groups: readonly Group[]
  readonly #relay = new LiveRelay<Child>()
  readonly #names = new Map<Child, string>()
  readonly #usage = new Map<Child, { cpuUs: number; overUs: number }>()
  readonly #gatherings = new Map<number, Gathering>()
  readonly #failed = Promise.withResolvers<Error>()
  #questions = 0
  #turn: Promise<unknown> = Promise.resolve()
  #stopping = false
  #stopScaling = (): void => {}

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#groups = options.groups.map(plan => ({
      ...{ plan, slots: [], changedMs: -Infinity },
      figures: { kind: plan.kind, processes: 0, cpuPct: 0, ups: 0, downs: 0, restarts: 0 },
    }))
  }

  /** Resolves with the reason when it cannot go on; the caller then stops it. */
  get failed(): Promise<Error> {
    return this.#failed.promise
  }

  /**
   * Resolves when all are ready, with what the first of each kind says of itself. Rejects with a
   * `WorkerError` when one of them does not start; the others are ended then.
   */
  async start(): Promise<ReadonlyMap<string, unknown>> {
    const facts = new Map<string, unknown>()
    const starting = this.#groups.flatMap(group =>
      Array.from({ length: group.plan.scaling.min }, async (_, place) => {
        const said = await this.#add(group).start()
        if (place === 0) facts.set(group.plan.kind, said)
      }),
    )
    try {
      await Promise.all(starting)
    } catch (error) {
      await this.stop()
      throw error
    }
    const { clock } = this.#options
    this.#stopScaling = clock.every(SCALE_INTERVAL_MS, () => void this.#scale())
    return facts
  }

  /** Replaces every worker, one after the other. Rejects when one does not start; the rest stay. */
  restart(): Promise<void> {
    return this.#inTurn(async () => {
      for (const { slots, figures } of this.#groups) {
        for (const slot of [...slots]) {
          if (this.#stopping) return
          await slot.replace()
          figures.restarts++
          this.#options.logger.info({ worker: slot.name, pid: slot.child?.pid }, 'replaced')
        }
      }
    })
  }

  /** Stops all; resolves with whether each of them ended as asked. */
  async stop(): Promise<boolean> {
    this.#stopping = true
    this.#stopScaling()
    let clean = true
    for (const { slots } of this.#groups) {
      const exits = await Promise.all(slots.map(slot => slot.end('stop')))
      clean &&= exits.flat().every(({ code }) => code === 0)
    }
    return clean
  }

  #add(group: Group): WorkerSlot {
    const { plan, slots, figures } = group
    const { fork, logger, drainMs, stopTimeoutMs, restarts } = this.#options
    // Those of others stay theirs: the name, and the folder that goes with it.
    const names = new Set(slots.map(slot => slot.name))
    let place = 0
    while (names.has(nameOf(plan, place))) place++
    const name = nameOf(plan, place)
    const slot = new WorkerSlot({
      ...{ name, fork, logger, drainMs, stopTimeoutMs, overlaps: plan.overlaps },
      ...(restarts === undefined ? {} : { restarts }),
      plan: plan.planOf(place),
      onUp: child => {
        this.#names.set(child, name)
        this.#relay.add(child)
      },
      onMessage: (child, message) => this.#take(child, message),
      onGone: child => this.#forget(child),
      onFailure: error => this.#failed.resolve(error),
    })
    slots.push(slot)
    figures.processes = slots.length
    return slot
  }

  #take(child: Child, message: FromWorker): void {
    switch (message.type) {
      case 'usage': {
        const { cpuUs = 0, overUs = 0 } = this.#usage.get(child) ?? {}
        const sum = { cpuUs: cpuUs + message.cpuUs, overUs: overUs + message.overUs }
        this.#usage.set(child, sum)
        break
      }
      case 'interest':
        this.#relay.setInterest(child, message.tenants)
        break
      case 'live':
        this.#relay.publish(child, message)
        break
      case 'gather':
        this.#gather(child, message)
        break
      case 'answer':
        this.#takeAnswer(child, message)
        break
      default:
      // The rest is the slot's.
    }
  }

  #forget(child: Child): void {
    this.#names.delete(child)
    this.#usage.delete(child)
    this.#relay.remove(child)
    for (const gathering of this.#gatherings.values()) {
      if (gathering.missing.delete(child) && gathering.missing.size === 0) gathering.finish()
    }
  }

  #gather(asker: Child, { id, what }: { readonly id: number; readonly what: string }): void {
    const question = ++this.#questions
    const missing = new Set(this.#names.keys())
    const answers: Answer[] = []
    if (what === 'metrics') {
      const value = supervisorMetrics(this.#groups.map(({ figures }) => figures))
      answers.push({ process: 'supervisor', value })
    }
    const finish = (): void => {
      clearTimeout(timer)
      this.#gatherings.delete(question)
      answers.sort((a, b) => (a.process < b.process ? -1 : 1))
      asker.send({ type: 'answers', id, answers })
    }
    const timer = setTimeout(finish, GATHER_TIMEOUT_MS)
    this.#gatherings.set(question, { answers, missing, finish })
    for (const child of missing) child.send({ type: 'ask', id: question, what })
  }

  #takeAnswer(child: Child, { id, value }: { readonly id: number; readonly value: unknown }): void {
    const gathering = this.#gatherings.get(id)
    if (gathering === undefined || !gathering.missing.delete(child)) return
    const name = this.#names.get(child) ?? ''
    // While a worker is replaced there are two of its name.
    const isTaken = gathering.answers.some(({ process }) => process === name)
    gathering.answers.push({ process: isTaken ? `${name}-${child.pid}` : name, value })
    if (gathering.missing.size === 0) gathering.finish()
  }

  #scale(): Promise<void> {
    return this.#inTurn(async () => {
      for (const group of this.#groups) {
        this.#measure(group)
        if (!this.#stopping) await this.#scaleGroup(group)
      }
      this.#usage.clear()
    })
  }

  /** The mean over its processes of what each has used of a core since the last look. */
  #measure({ slots, figures }: Group): void {
    const used = slots.flatMap(({ child }) => {
      const usage = child === undefined ? undefined : this.#usage.get(child)
      return usage === undefined || usage.overUs === 0 ? [] : [(100 * usage.cpuUs) / usage.overUs]
    })
    if (used.length === 0) return
    figures.cpuPct = used.reduce((sum, pct) => sum + pct, 0) / used.length
  }

  async #scaleGroup(group: Group): Promise<void> {
    const { plan, slots, figures, changedMs } = group
    const { clock, logger } = this.#options
    const { kind, scaling } = plan
    if (scaling.min === scaling.max) return
    const nowMs = clock.nowMs()
    const state = { current: slots.length, cpuPct: figures.cpuPct, nowMs, changedMs }
    const { processes, why } = decideScale(scaling, state)
    if (processes === slots.length) return
    group.changedMs = nowMs
    const cpuPct = Math.round(figures.cpuPct)
    logger.info({ kind, from: slots.length, to: processes, cpuPct, why }, 'scaling')
    if (processes < slots.length) {
      const slot = slots.pop()
      figures.processes = slots.length
      figures.downs++
      await slot?.end('retire')
      return
    }
    figures.ups++
    const added = Array.from({ length: processes - slots.length }, () => this.#add(group))
    await Promise.all(
      added.map(slot =>
        slot.start().catch(async (error: Error) => {
          logger.error({ worker: slot.name, reason: error.message }, 'a worker does not start')
          slots.splice(slots.indexOf(slot), 1)
          figures.processes = slots.length
          await slot.end('stop')
        }),
      ),
    )
  }

  /** Restarts and scaling never at the same time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }
}

function nameOf({ kind }: GroupPlan, place: number): string {
  return `${kind}-${place + 1}`
}
