import { CompiledWorkload } from './compiled-workload.ts'
import { Connection, type ConnectionEvents } from './connection.ts'
import { sourceOf } from './executors/source-of.ts'
import { OwnLines, SharedLines, type Lines } from './lines.ts'
import type { LoadPlan, LoadResult, Tick } from './load.ts'
import { BROKEN, Recorder, TIMED_OUT } from './recorder.ts'
import type { Address } from './socket.ts'
import type { Source } from './source.ts'
import type { Stages } from './stages.ts'

const TICK_MS = 1000
/** How often time-outs are looked for, and the longest that nothing is looked at. */
const CHECK_MS = 50
const MICROS = 1000

/**
 * One run of a plan, in this process. Requests are written at their time, as far as a timer of a
 * millisecond tells it and a connection is free; one that is late keeps its intended time. A
 * request that has waited for a connection for `timeoutMs` is given up like one that was sent.
 */
export class LoadRun implements ConnectionEvents {
  readonly #plan: LoadPlan
  readonly #source: Source
  readonly #stages: Stages
  readonly #stopsOnBreach: boolean
  readonly #onTick: (tick: Tick) => void
  readonly #ticks: Tick[] = []
  readonly #recorder: Recorder
  readonly #finished = Promise.withResolvers<LoadResult>()
  #lines: Lines
  #requests: CompiledWorkload
  #startedAtMs = 0
  /** Since the timer was set last: all connections were busy then. */
  #isBlocked = false
  /** Of `performance.now()`, what the times of the run are from. */
  #originMs = 0
  #timer: NodeJS.Timeout | undefined
  #isOver = false
  #inFlight = 0
  #taken = 0
  #offeredBefore = 0
  #endMs: number
  #stoppedAtMs: number | undefined
  #nextTickMs = TICK_MS
  #nextCheckMs = CHECK_MS
  #cpuFrom: NodeJS.CpuUsage | undefined
  #cpuShare: number | undefined

  constructor(plan: LoadPlan, onTick: (tick: Tick) => void = () => {}) {
    this.#plan = plan
    const { source, stages, stopsOnBreach } = sourceOf(plan)
    this.#source = source
    this.#stages = stages
    this.#stopsOnBreach = stopsOnBreach
    this.#onTick = onTick
    this.#endMs = source.endMs
    this.#recorder = new Recorder(plan, source.endMs)
    this.#requests = new CompiledWorkload(plan, 0)
    const { maxBytes } = this.#requests
    const address = addressOf(plan.url)
    const make = (): Connection => new Connection(address, maxBytes, this)
    this.#lines = source.ownConnections
      ? new OwnLines(make)
      : new SharedLines(Array.from({ length: Math.max(1, plan.connections) }, make))
  }

  /**
   * Opens the connections.
   *
   * @throws Error when one cannot be opened.
   */
  async open(): Promise<void> {
    const { timeoutMs, url } = this.#plan
    let waiting = 0
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.opened = connection => {
      this.#lines.release(connection, true)
      if (--waiting === 0) resolve()
    }
    this.closed = (_, reason) => reject(new Error(`no connection to ${url}: ${reason}`))
    for (const connection of this.#lines.all) {
      waiting++
      connection.open()
    }
    if (waiting === 0) resolve()
    const noAnswer = (): void => reject(new Error(`no connection to ${url} in ${timeoutMs} ms`))
    const late = setTimeout(noAnswer, timeoutMs)
    try {
      await promise
    } catch (error) {
      this.#lines.close()
      throw error
    } finally {
      clearTimeout(late)
    }
    this.opened = this.#opened
    this.closed = this.#closed
  }

  /** Begins to send. Resolves when all is answered, or was waited for long enough. */
  start(): Promise<LoadResult> {
    this.#startedAtMs = Date.now()
    this.#requests = new CompiledWorkload(this.#plan, this.#startedAtMs)
    this.#originMs = performance.now()
    if (this.#plan.warmUpMs <= 0) this.#cpuFrom = process.cpuUsage()
    this.#wake()
    return this.#finished.promise
  }

  /** No further requests; those that wait for a connection are not sent any more, and have failed. */
  stop(): void {
    if (!this.#isStoppable()) return
    // What is due and finds a connection has not waited.
    const isBlocked = this.#pump()
    this.#halt()
    if (isBlocked) this.#giveUpWaiting()
  }

  opened: ConnectionEvents['opened'] = () => {}
  closed: ConnectionEvents['closed'] = () => {}

  answered(connection: Connection, status: number): void {
    const nowMs = this.#nowMs()
    connection.idleSinceMs = nowMs
    const goesOn = this.#settle(connection, status, nowMs)
    this.#lines.release(connection, goesOn)
    this.#goOn()
  }

  readonly #opened = (connection: Connection): void => {
    connection.idleSinceMs = this.#nowMs()
    this.#lines.release(connection, true)
    this.#goOn()
  }

  readonly #closed = (connection: Connection, reason: string | undefined): void => {
    if (this.#isOver) return
    let goesOn = true
    if (reason !== undefined) this.#recorder.failed(reason)
    if (connection.isCarrying) goesOn = this.#settle(connection, BROKEN, this.#nowMs())
    this.#lines.lost(connection, goesOn)
    this.#goOn()
  }

  #nowMs(): number {
    return performance.now() - this.#originMs
  }

  #settle(connection: Connection, status: number, nowMs: number): boolean {
    const { kind, owner, intendedMs } = connection.inFlight
    connection.isCarrying = false
    this.#inFlight--
    return this.#record({ kind, intendedMs, nowMs, status, wasSent: true }, owner)
  }

  #record(settled: Parameters<Recorder['settle']>[0], owner: number): boolean {
    const meaning = this.#recorder.settle(settled)
    this.#stages.settle(settled, meaning)
    if (meaning === 'failure') {
      const { status } = settled
      const { name } = this.#plan.workload.requests[settled.kind]
      if (status === TIMED_OUT) this.#recorder.failed(`${name}: no answer`)
      else this.#recorder.failed(`${name}: status ${status}`)
    }
    return this.#source.settled(owner, settled.nowMs)
  }

  /** Sends what is due, as long as a connection is free; true: there was none. */
  #pump(): boolean {
    const source = this.#source
    for (;;) {
      const { nextMs } = source
      const nowMs = this.#nowMs()
      if (nextMs > nowMs || nextMs >= this.#endMs || this.#stoppedAtMs !== undefined) return false
      const owner = source.nextOwner
      if (nowMs - nextMs > this.#plan.timeoutMs) {
        this.#giveUp(nextMs, owner)
        continue
      }
      const connection = this.#lines.acquire(owner)
      if (connection === undefined) return true
      this.#send(connection, { intendedMs: nextMs, owner })
    }
  }

  #send(connection: Connection, request: { intendedMs: number; owner: number }): void {
    const { intendedMs, owner } = request
    const place = this.#source.take()
    this.#taken++
    const { inFlight, bytes } = connection
    const written = this.#requests.write(place, intendedMs, bytes)
    inFlight.kind = this.#requests.kind
    inFlight.owner = owner
    inFlight.intendedMs = intendedMs
    connection.isCarrying = true
    this.#inFlight++
    connection.send(written)
    const nowMs = this.#nowMs()
    inFlight.writtenMs = nowMs
    if (connection.idleSinceMs <= intendedMs && intendedMs >= this.#plan.warmUpMs) {
      this.#recorder.sendLag.record(nowMs - intendedMs)
    }
  }

  /** Whether there is anything left to stop. */
  #isStoppable(): boolean {
    return !this.#isOver && this.#stoppedAtMs === undefined && this.#nowMs() < this.#endMs
  }

  #halt(): void {
    this.#stoppedAtMs = Math.min(this.#nowMs(), this.#endMs)
    this.#end(this.#stoppedAtMs)
  }

  /** What was due by the end; a stage has it as due and not achieved already. */
  #giveUpWaiting(): void {
    const nowMs = this.#nowMs()
    while (this.#source.nextMs < this.#endMs) {
      const intendedMs = this.#source.nextMs
      const kind = this.#requests.kindOf(this.#source.take())
      this.#taken++
      this.#recorder.settle({ kind, intendedMs, nowMs, status: TIMED_OUT, wasSent: false })
      this.#recorder.failed('requests waited for a connection when it was stopped')
    }
  }

  /** Of a request that nobody would have waited for any longer to be sent. */
  #giveUp(intendedMs: number, owner: number): void {
    const kind = this.#requests.kindOf(this.#source.take())
    this.#taken++
    const nowMs = this.#nowMs()
    this.#record({ kind, intendedMs, nowMs, status: TIMED_OUT, wasSent: false }, owner)
  }

  readonly #wake = (): void => {
    if (this.#isOver) return
    const nowMs = this.#nowMs()
    if (this.#cpuFrom === undefined && nowMs >= this.#plan.warmUpMs)
      this.#cpuFrom = process.cpuUsage()
    if (nowMs >= this.#nextCheckMs) this.#check(nowMs)
    if (nowMs >= this.#nextTickMs) this.#tick(nowMs)
    if (nowMs >= this.#endMs) this.#end(this.#endMs)
    const isBlocked = this.#pump()
    if (this.#isDone(nowMs)) return this.#finish(nowMs)
    this.#sleep(isBlocked)
  }

  /** Until something is due. What has to wait for a connection comes with the event of one. */
  #sleep(isBlocked: boolean): void {
    this.#isBlocked = isBlocked
    const next = Math.min(this.#nextTickMs, this.#nextCheckMs)
    const due = (isBlocked ? next : Math.min(next, this.#source.nextMs)) - this.#nowMs()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#wake, Math.max(0, Math.floor(due)))
  }

  /** A connection is free again, or there is none any more. */
  #goOn(): void {
    const isBlocked = this.#pump()
    // The timer was set for a time without connections, and what comes next may be due before it.
    if (this.#isBlocked && !isBlocked && !this.#isOver) this.#sleep(false)
  }

  #check(nowMs: number): void {
    this.#nextCheckMs = nowMs + CHECK_MS
    const { timeoutMs } = this.#plan
    for (const connection of this.#lines.all) {
      if (!connection.isCarrying || nowMs - connection.inFlight.writtenMs < timeoutMs) continue
      this.#timeOut(connection, nowMs)
    }
  }

  #timeOut(connection: Connection, nowMs: number): void {
    connection.abandon()
    const goesOn = this.#settle(connection, TIMED_OUT, nowMs)
    this.#lines.lost(connection, goesOn)
  }

  #tick(nowMs: number): void {
    this.#nextTickMs += TICK_MS
    const offered = this.#source.dueBy(Math.min(nowMs, this.#endMs))
    const waiting = Math.max(0, offered - this.#taken)
    const tick: Tick = {
      ...{ atMs: Math.round(nowMs), offered: offered - this.#offeredBefore },
      ...this.#recorder.tick(),
      ...{ inFlight: this.#inFlight, waiting },
    }
    this.#offeredBefore = offered
    this.#ticks.push(tick)
    this.#onTick(tick)
    const isBroken = this.#stages.hasBreach(nowMs, waiting)
    if (isBroken && this.#stopsOnBreach && this.#isStoppable()) this.#halt()
  }

  /** The measured time is over. */
  #end(endMs: number): void {
    if (this.#cpuShare !== undefined) return
    this.#endMs = this.#recorder.endMs = endMs
    this.#source.dueBy(endMs)
    const { user, system } = process.cpuUsage(this.#cpuFrom)
    const spentMs = Math.max(1, this.#nowMs() - this.#plan.warmUpMs)
    this.#cpuShare = this.#cpuFrom === undefined ? 0 : (user + system) / MICROS / spentMs
  }

  #isDone(nowMs: number): boolean {
    const { timeoutMs } = this.#plan
    const isStopped = this.#stoppedAtMs !== undefined
    const nothingComes = isStopped || this.#source.nextMs >= this.#endMs
    if (this.#inFlight === 0 && nothingComes) {
      if (isStopped || nowMs >= this.#endMs) return true
      if (!this.#source.lastsUntilEnd) {
        this.#end(nowMs)
        return true
      }
    }
    if (nowMs < this.#endMs + timeoutMs) return false
    for (const connection of this.#lines.all) {
      if (connection.isCarrying) this.#timeOut(connection, nowMs)
    }
    while (!isStopped && this.#source.nextMs < this.#endMs)
      this.#giveUp(this.#source.nextMs, this.#source.nextOwner)
    return true
  }

  #finish(nowMs: number): void {
    // What is left of a second.
    if (nowMs > this.#nextTickMs - TICK_MS) this.#tick(nowMs)
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#lines.close()
    this.#result().then(this.#finished.resolve, this.#finished.reject)
  }

  async #result(): Promise<LoadResult> {
    const { warmUpMs } = this.#plan
    const recorder = this.#recorder
    const measuredMs = Math.max(0, this.#endMs - warmUpMs)
    const perSecond = (count: number): number =>
      measuredMs === 0 ? 0 : (1000 * count) / measuredMs
    return {
      startedAt: new Date(this.#startedAtMs).toISOString(),
      measuredMs,
      offeredRate: perSecond(recorder.requests),
      achievedRate: perSecond(recorder.achieved),
      errorShare: recorder.requests === 0 ? 0 : recorder.failures / recorder.requests,
      latency: recorder.overall().latency(),
      endpoints: await recorder.endpoints(),
      stages: this.#stages.results(this.#endMs),
      ticks: this.#ticks,
      sendLag: recorder.sendLag.latency(),
      generatorCpuShare: this.#cpuShare ?? 0,
      acknowledgedPoints: recorder.acknowledgedPoints,
      uncertainPoints: recorder.uncertainPoints,
      ...(this.#stoppedAtMs === undefined ? {} : { stoppedAtMs: this.#stoppedAtMs }),
      ...(recorder.firstFailure === undefined ? {} : { firstFailure: recorder.firstFailure }),
    }
  }
}

/** @throws Error for anything but plain HTTP. */
export function addressOf(url: string): Address {
  const { protocol, hostname, port } = new URL(url)
  if (protocol !== 'http:') throw new Error(`the load generator speaks plain http, not ${url}`)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 80 : Number(port) }
}
