import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Config } from '../../config/schema.ts'
import { closeAll } from '../../kit/close-all.ts'
import { processStart } from '../../provide/process-start.ts'
import type { Workload } from '../workloads/workload.ts'
import { writeHistory } from './history.ts'
import { HttpClient } from './http-client.ts'
import { startNodeProcess, type NodeProcess } from './node-process.ts'
import type { Place } from './place.ts'
import { Places, type MadePlaces } from './places.ts'
import { systemProcesses } from './process-tree.ts'
import { LabServers, type LabServer } from './servers.ts'
import { configOf, flagsWithoutPlaces } from './solution-config.ts'
import type { Solution } from './solution.ts'
import type { SystemHouse, SystemUnderTest } from './system.ts'

/** Of what a node printed, where it failed. */
const TOLD_CHARS = 4000

export interface HouseOptions {
  /** Of the run; the data of servers and nodes are in a folder of it, on the same disk. */
  readonly directory: string
  /** Told what is started, and how long it took. */
  readonly report: (line: string) => void
  readonly solutions: readonly Solution[]
}

/**
 * Starts the servers that the solutions need and for which nobody named an address. What cannot be
 * started is told by `missing`. They end with this process, however it ends; call `close` where it
 * can, which removes their data too.
 */
export async function openHouse(options: HouseOptions): Promise<SystemHouse> {
  const root = resolve(options.directory)
  mkdirSync(root, { recursive: true })
  removeLeftovers(root)
  const folder = join(root, `system-${process.pid}-${processStart(process.pid) ?? 0}`)
  mkdirSync(folder)
  const house = new House(folder, options.report)
  await Promise.all(options.solutions.map(solution => house.prepare(solution)))
  return house
}

/** Folders of labs that were killed: what ran there has ended with them. */
function removeLeftovers(root: string): void {
  for (const name of readdirSync(root)) {
    const [, pid, started] = /^system-(\d+)-(\d+)$/.exec(name) ?? []
    if (pid === undefined || processStart(Number(pid)) === started) continue
    rmSync(join(root, name), { recursive: true, force: true })
  }
}

interface Prepared {
  readonly config: Config
  readonly servers: readonly LabServer[]
}

class House implements SystemHouse {
  readonly #folder: string
  readonly #report: (line: string) => void
  readonly #servers: LabServers
  readonly #places = new Places()
  readonly #prepared = new Map<string, Promise<Prepared>>()
  readonly #running = new Set<NodeProcess>()
  /** Of steps that have ended: removed while the next one starts. */
  readonly #abandoned: Place[] = []
  /** Of its places: a lab that was killed may have left some of this process id on given servers. */
  readonly #name = `weir_lab_${process.pid}_${randomBytes(4).toString('hex')}`
  #steps = 0
  #closing: Promise<void> | undefined

  constructor(folder: string, report: (line: string) => void) {
    this.#folder = folder
    this.#report = report
    this.#servers = new LabServers(join(folder, 'servers'), report)
    process.once('exit', this.#onExit)
  }

  /** Resolves when it can be started, or it is known why not. */
  async prepare(solution: Solution): Promise<void> {
    await this.#prepare(solution).catch(() => {})
  }

  async missing(solutions: readonly Solution[]): Promise<ReadonlyMap<string, string>> {
    const reasons = new Map<string, string>()
    for (const solution of solutions) {
      await this.#prepare(solution).catch((error: Error) => {
        reasons.set(solution.id, error.message)
      })
    }
    return reasons
  }

  async start(solution: Solution, workload: Workload, seed: number): Promise<SystemUnderTest> {
    const startedMs = performance.now()
    const { servers } = await this.#prepare(solution)
    const name = `${this.#name}_${++this.#steps}`
    const data = join(this.#folder, name)
    const made = await this.#places.make(servers, name)
    let node: NodeProcess | undefined
    try {
      const placedMs = performance.now()
      const starting = startNodeProcess({
        args: [
          ...['--topology', solution.topology, '--data', data],
          ...flagsWithoutPlaces(solution.flags),
        ],
        env: { ...process.env, ...made.env },
      })
      // Meanwhile the node is busy with itself.
      const clearing = this.#clear()
      node = await starting
      this.#running.add(node)
      await clearing
      const readyMs = performance.now()
      await fill(node, workload, seed)
      const filledMs = performance.now()
      // Only some users may ask for a checkpoint: without one steps begin less alike.
      await made.settle().catch((error: Error) => this.#report(`no checkpoint: ${error.message}`))
      const doneMs = performance.now()
      this.#report(
        `${solution.id} started in ${seconds(doneMs - startedMs)} (places ${seconds(placedMs - startedMs)}, ` +
          `node ${seconds(readyMs - placedMs)}, history ${seconds(filledMs - readyMs)}, checkpoint ${seconds(doneMs - filledMs)})`,
      )
      return this.#system(solution, { node, made, data, servers })
    } catch (error) {
      await node?.stop()
      this.#abandoned.push(made)
      await rm(data, { recursive: true, force: true })
      throw error
    }
  }

  close(): Promise<void> {
    this.#closing ??= closeAll([
      async () => void (await Promise.all([...this.#running].map(node => node.stop()))),
      () => this.#clear(),
      () => this.#places.close(),
      () => this.#servers.close(),
      () => rm(this.#folder, { recursive: true, force: true }),
      async () => void process.off('exit', this.#onExit),
    ])
    return this.#closing
  }

  #prepare(solution: Solution): Promise<Prepared> {
    let prepared = this.#prepared.get(solution.id)
    if (prepared === undefined) {
      prepared = this.#open(solution)
      this.#prepared.set(solution.id, prepared)
    }
    return prepared
  }

  async #open(solution: Solution): Promise<Prepared> {
    const outcome = configOf(solution, process.env)
    if ('problem' in outcome) throw new Error(outcome.problem)
    const { config } = outcome
    if (config.auth.mode === 'keys') throw new Error('auth.mode is keys, and the lab has none')
    const servers = await this.#servers.open(config)
    await this.#places.open(servers)
    return { config, servers }
  }

  #system(solution: Solution, parts: Parts): SystemUnderTest {
    const { node, made, data, servers } = parts
    const { database } = made
    return {
      ...{ solution, url: node.url },
      ...(database && { databaseUrl: database.databaseUrl, databaseName: database.databaseName }),
      processes: () =>
        systemProcesses({
          node: node.pid,
          servers: servers.flatMap(server => server.process() ?? []),
        }),
      failure: () => {
        const how = node.ended()
        return how === undefined
          ? undefined
          : `weir up ${how}:\n${node.output().slice(-TOLD_CHARS)}`
      },
      diskBytes: () => database?.diskBytes() ?? folderBytes(data),
      stop: async () => {
        await node.stop()
        if (!this.#running.delete(node)) return
        this.#abandoned.push(made)
        await rm(data, { recursive: true, force: true })
      },
    }
  }

  /** A place that cannot be removed is in nobody's way. */
  async #clear(): Promise<void> {
    const removing = this.#abandoned.splice(0).map(place => place.remove())
    for (const outcome of await Promise.allSettled(removing)) {
      if (outcome.status === 'rejected') this.#report(`left behind: ${String(outcome.reason)}`)
    }
  }

  /** Without a close: what runs is ended by its guards. */
  readonly #onExit = (): void => {
    for (const node of this.#running) node.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

interface Parts {
  readonly node: NodeProcess
  readonly made: MadePlaces
  readonly data: string
  readonly servers: readonly LabServer[]
}

async function fill(node: NodeProcess, workload: Workload, seed: number): Promise<void> {
  const client = new HttpClient(node.url)
  try {
    await writeHistory(client, workload, { seed, nowMs: Date.now() })
  } catch (error) {
    const { message } = error as Error
    throw new Error(`${message}\n${node.ended() ?? ''}${node.output().slice(-TOLD_CHARS)}`, {
      cause: error,
    })
  } finally {
    client.close()
  }
}

/** Of the files that are there now; what grows meanwhile is of the next look. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const sizes = entries
    .filter(entry => entry.isFile())
    .map(async entry => {
      const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined)
      return (found?.blocks ?? 0) * 512
    })
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
