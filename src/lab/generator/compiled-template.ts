import type { Template } from '../workloads/template.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { Draws } from './draws.ts'

/** What the parts of one request have in common while it is written. */
export interface RequestContext {
  readonly draws: Draws
  /** By device: the last time that a `unique` one got. */
  readonly lastMs: Float64Array
  device: number
  /** When it is meant to be sent, milliseconds since 1970. */
  timeMs: number
  /** Of the item of a list: its distance from that time, and how far its list had to be moved. */
  offsetMs: number
  shiftMs: number
  /** The number that the next serial of the request gets. */
  serial: number
}

export interface CompiledTemplate {
  readonly maxBytes: number
  /** How many serials it draws. */
  readonly serials: number
  write(out: ByteWriter, context: RequestContext): void
}

/** How devices are named, and where the text stands: in a path or in JSON. */
export interface TextForm {
  readonly devices: number
  readonly devicePrefix: string
  readonly isPath: boolean
}

type Write = CompiledTemplate['write']
type Numbers = Extract<Template, { is: 'number' }>
type Times = Extract<Template, { is: 'time' }>
type Lists = Extract<Template, { is: 'list' }>

const DEVICE_DIGITS = 5
/** No text of a number without exponent that we can write exactly is longer. */
const MAX_NUMBER_BYTES = 40

/**
 * Makes of a template what writes it. What never changes is joined into pieces of bytes.
 *
 * @throws Error for an object or a list in a path.
 */
export function compileTemplate(template: Template, form: TextForm): CompiledTemplate {
  return new Compilation(form).compiled(template)
}

/** Texts and templates behind each other: a path. */
export function compileParts(
  parts: readonly (string | Template)[],
  form: TextForm,
): CompiledTemplate {
  const compilation = new Compilation(form)
  for (const part of parts) {
    if (typeof part === 'string') compilation.text(part)
    else compilation.template(part)
  }
  return compilation.end()
}

class Compilation {
  readonly #form: TextForm
  readonly #colon: Uint8Array
  readonly #writes: Write[] = []
  #maxBytes = 0
  #serials = 0
  #pending = ''

  constructor(form: TextForm) {
    this.#form = form
    this.#colon = Buffer.from(form.isPath ? '%3A' : ':')
  }

  compiled(template: Template): CompiledTemplate {
    this.template(template)
    return this.end()
  }

  text(text: string): void {
    this.#pending += text
  }

  end(): CompiledTemplate {
    this.#flush()
    const writes = this.#writes
    const write: Write =
      writes.length === 1
        ? writes[0]
        : (out, context) => {
            for (let i = 0; i < writes.length; i++) writes[i](out, context)
          }
    return { write, maxBytes: this.#maxBytes, serials: this.#serials }
  }

  template(template: Template): void {
    switch (template.is) {
      case 'device':
        return this.#device()
      case 'number':
        return this.#number(template)
      case 'time':
        return this.#time(template)
      case 'serial':
        return this.#serial(template.prefix)
      case 'pick':
        return this.#pick(template.of)
      case 'constant':
        return this.text(this.#value(template.value))
      case 'object':
        return this.#object(template.fields)
      case 'list':
        return this.#list(template)
    }
  }

  #device(): void {
    this.text(this.#opened(this.#form.devicePrefix))
    this.#push(MAX_NUMBER_BYTES, (out, context) => out.digits(context.device, DEVICE_DIGITS))
    this.text(this.#quote())
  }

  #number({ min, max, decimals }: Numbers): void {
    const scale = 10 ** decimals
    const lowest = Math.ceil(min * scale - 1e-6)
    const count = Math.floor(max * scale + 1e-6) - lowest + 1
    this.#push(MAX_NUMBER_BYTES, (out, context) =>
      out.decimal(lowest + context.draws.below(count), decimals),
    )
  }

  #time({ agoMs = 0, unique = false }: Times): void {
    const colon = this.#colon
    this.text(this.#quote())
    this.#push(MAX_NUMBER_BYTES, (out, context) => {
      let ms = context.timeMs - agoMs + context.offsetMs
      if (unique) {
        ms += context.shiftMs
        const earliest = context.lastMs[context.device] + 1
        if (ms < earliest) {
          context.shiftMs += earliest - ms
          ms = earliest
        }
        context.lastMs[context.device] = ms
      }
      out.time(ms, colon)
    })
    this.text(this.#quote())
  }

  #serial(prefix: string): void {
    this.#serials++
    this.text(this.#opened(prefix))
    this.#push(MAX_NUMBER_BYTES, (out, context) => out.digits(context.serial++, 1))
    this.text(this.#quote())
  }

  #pick(values: readonly (string | number)[]): void {
    const pieces = values.map(value => Buffer.from(this.#value(value)))
    this.#push(Math.max(...pieces.map(({ length }) => length)), (out, context) =>
      out.put(pieces[context.draws.below(pieces.length)]),
    )
  }

  #object(fields: Readonly<Record<string, Template>>): void {
    this.#refuseInPath('an object')
    let separator = '{'
    for (const [name, template] of Object.entries(fields)) {
      this.text(`${separator}${JSON.stringify(name)}:`)
      this.template(template)
      separator = ','
    }
    this.text(separator === '{' ? '{}' : '}')
  }

  #list({ of, count, device = 'same', everyMs = 0 }: Lists): void {
    this.#refuseInPath('a list')
    const item = new Compilation(this.#form).compiled(of)
    const { devices } = this.#form
    this.#serials += count * item.serials
    const comma = Buffer.from(',')
    this.text('[')
    this.#push(count * (item.maxBytes + 1), (out, context) => {
      const { device: first, offsetMs, shiftMs } = context
      for (let i = 0; i < count; i++) {
        if (i > 0) out.put(comma)
        context.offsetMs = offsetMs - (count - 1 - i) * everyMs
        if (device === 'each') {
          context.device = (first + i) % devices
          context.shiftMs = shiftMs
        }
        item.write(out, context)
      }
      context.device = first
      context.offsetMs = offsetMs
      context.shiftMs = shiftMs
    })
    this.text(']')
  }

  #push(maxBytes: number, write: Write): void {
    this.#flush()
    this.#maxBytes += maxBytes
    this.#writes.push(write)
  }

  #flush(): void {
    if (this.#pending === '') return
    const piece = Buffer.from(this.#pending)
    this.#pending = ''
    this.#maxBytes += piece.length
    this.#writes.push(out => out.put(piece))
  }

  /** Text that goes on: in JSON with its opening quotation mark. */
  #opened(text: string): string {
    return this.#form.isPath ? encodeURIComponent(text) : JSON.stringify(text).slice(0, -1)
  }

  #quote(): string {
    return this.#form.isPath ? '' : '"'
  }

  #value(value: string | number | boolean): string {
    return this.#form.isPath ? encodeURIComponent(value) : JSON.stringify(value)
  }

  #refuseInPath(what: string): void {
    if (this.#form.isPath) throw new Error(`the path of a request cannot have ${what}`)
  }
}
