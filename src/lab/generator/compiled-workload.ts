import type { RequestKind, Workload } from '../workloads/workload.ts'
import { ByteWriter } from './byte-writer.ts'
import {
  compileParts,
  compileTemplate,
  type CompiledTemplate,
  type RequestContext,
} from './compiled-template.ts'
import { Draws } from './draws.ts'
import type { LoadPlan } from './load.ts'

/** Which request it is: all that it consists of follows from it, the seed and the start. */
export interface RequestPlace {
  /** Of STREAMS, or a stream of a user's own. */
  readonly stream: number
  readonly index: number
  /** No other request of the run has it. */
  readonly serial: number
  /** Where it is not drawn. */
  readonly kind?: number
  readonly device?: number
}

interface CompiledKind {
  readonly path: CompiledTemplate
  readonly start: Buffer
  readonly afterPath: Buffer
  readonly body: CompiledTemplate | undefined
  readonly maxBodyDigits: number
  readonly maxBytes: number
  readonly serials: number
}

const EMPTY_LINE = Buffer.from('\r\n\r\n')

/** Writes the requests of a workload as HTTP/1.1. */
export class CompiledWorkload {
  readonly maxBytes: number
  /** Of the request that was written last. */
  kind = 0
  readonly #kinds: readonly CompiledKind[]
  /** Upper ends of the kinds' shares of [0, 1). */
  readonly #shares: readonly number[]
  readonly #devices: number
  readonly #draws: Draws
  readonly #context: RequestContext
  readonly #out = new ByteWriter()
  readonly #startedAtMs: number
  #serials = 1

  /** @throws Error for a workload that has no request or device. */
  constructor(plan: Pick<LoadPlan, 'url' | 'key' | 'workload' | 'seed'>, startedAtMs: number) {
    const { workload, seed } = plan
    if (workload.requests.length === 0) throw new Error(`${workload.id} has no requests`)
    if (!(workload.devices > 0)) throw new Error(`${workload.id} has no devices`)
    this.#kinds = workload.requests.map(kind => compileKind(kind, workload, headers(plan)))
    this.#serials = Math.max(1, ...this.#kinds.map(({ serials }) => serials))
    this.maxBytes = Math.max(...this.#kinds.map(({ maxBytes }) => maxBytes))
    this.#shares = sharesOf(workload.requests)
    this.#devices = workload.devices
    this.#draws = new Draws(seed)
    this.#startedAtMs = startedAtMs
    this.#context = {
      ...{ draws: this.#draws, lastMs: new Float64Array(workload.devices).fill(-Infinity) },
      ...{ device: 0, timeMs: 0, offsetMs: 0, shiftMs: 0, serial: 0 },
    }
  }

  /** Which kind the request is of; nothing is written. */
  kindOf(place: RequestPlace): number {
    this.#draws.seek(place.stream, place.index)
    return this.#drawKind(place)
  }

  /**
   * The request's bytes, in `bytes`, which has room for `maxBytes`; to be called once for each, as
   * times and serials go on.
   */
  write(place: RequestPlace, intendedMs: number, bytes: Buffer): Buffer {
    const context = this.#context
    this.#draws.seek(place.stream, place.index)
    this.kind = this.#drawKind(place)
    const kind = this.#kinds[this.kind]
    context.device = place.device ?? this.#draws.below(this.#devices)
    context.timeMs = this.#startedAtMs + Math.floor(intendedMs)
    context.offsetMs = 0
    context.shiftMs = 0
    context.serial = place.serial * this.#serials
    const out = this.#out
    out.bytes = bytes
    out.at = 0
    out.put(kind.start)
    kind.path.write(out, context)
    out.put(kind.afterPath)
    if (kind.body === undefined) return bytes.subarray(0, out.at)
    return this.#withBody(kind, bytes)
  }

  /** The head's length is known when the body's is: then it is moved up to it. */
  #withBody({ body, maxBodyDigits }: CompiledKind, bytes: Buffer): Buffer {
    const out = this.#out
    const headEnd = out.at
    const bodyFrom = headEnd + maxBodyDigits + EMPTY_LINE.length
    out.at = bodyFrom
    body!.write(out, this.#context)
    const end = out.at
    const digits = digitsOf(end - bodyFrom)
    const gap = maxBodyDigits - digits
    if (gap > 0) bytes.copyWithin(gap, 0, headEnd)
    out.at = headEnd + gap
    out.digits(end - bodyFrom, 1)
    out.put(EMPTY_LINE)
    return bytes.subarray(gap, end)
  }

  #drawKind({ kind }: RequestPlace): number {
    const drawn = this.#draws.next()
    if (kind !== undefined) return kind
    let found = 0
    while (drawn >= this.#shares[found]) found++
    return found
  }
}

function sharesOf(requests: readonly RequestKind[]): number[] {
  const whole = requests.reduce((sum, { weight }) => sum + weight, 0)
  let sum = 0
  const shares = requests.map(({ weight }) => (sum += weight) / whole)
  shares[shares.length - 1] = Infinity
  return shares
}

function headers({ url, key }: Pick<LoadPlan, 'url' | 'key'>): string {
  const authorization = key === undefined ? '' : `\r\nAuthorization: Bearer ${key}`
  return ` HTTP/1.1\r\nHost: ${new URL(url).host}${authorization}\r\n`
}

function compileKind(kind: RequestKind, workload: Workload, head: string): CompiledKind {
  const { devices, devicePrefix } = workload
  const path = compileParts(kind.path, { devices, devicePrefix, isPath: true })
  const start = Buffer.from(`${kind.method} `)
  const body =
    kind.body === undefined
      ? undefined
      : compileTemplate(kind.body, { devices, devicePrefix, isPath: false })
  const rest =
    body === undefined
      ? `${head}${kind.method === 'POST' ? 'Content-Length: 0\r\n' : ''}\r\n`
      : `${head}Content-Type: application/json\r\nContent-Length: `
  const afterPath = Buffer.from(rest)
  const maxBodyDigits = digitsOf(body?.maxBytes ?? 0)
  const headBytes = start.length + path.maxBytes + afterPath.length
  return {
    ...{ path, start, afterPath, body, maxBodyDigits },
    maxBytes: headBytes + maxBodyDigits + EMPTY_LINE.length + (body?.maxBytes ?? 0),
    serials: path.serials + (body?.serials ?? 0),
  }
}

const digitsOf = (value: number): number => String(value).length
