import { Agent, request as httpRequest } from 'node:http'

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

export interface HttpRequest {
  /** Objects are sent as JSON, bytes as they are. */
  readonly body?: object | Uint8Array
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 30_000

/** Kept connections to one address, for everything that is not load. */
export class HttpClient {
  readonly url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 })
  readonly #headers: Readonly<Record<string, string>>

  constructor(url: string, key?: string) {
    this.url = url.replace(/\/+$/, '')
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  }

  get(path: string, timeoutMs?: number): Promise<HttpAnswer> {
    return this.send('GET', path, timeoutMs === undefined ? {} : { timeoutMs })
  }

  /** The JSON of a 200. Rejects on any other answer. */
  async read<T>(path: string, timeoutMs?: number): Promise<T> {
    const { status, text } = await this.get(path, timeoutMs)
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${text.slice(0, 300)}`)
    return JSON.parse(text) as T
  }

  /** Rejects where there is no answer in time. */
  send(method: string, path: string, request: HttpRequest = {}): Promise<HttpAnswer> {
    const { body, timeoutMs = TIMEOUT_MS } = request
    const bytes = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body)
    const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json'
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
    const headers =
      bytes === undefined
        ? this.#headers
        : {
            ...this.#headers,
            ...{ 'content-type': type, 'content-length': Buffer.byteLength(bytes) },
          }
    const sent = httpRequest(this.url + path, { method, headers, agent: this.#agent }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('end', () => {
        clearTimeout(late)
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
      })
      answer.once('error', fail)
    })
    const fail = (error: Error): void => {
      clearTimeout(late)
      reject(error)
    }
    const timedOut = (): void => {
      sent.destroy(new Error(`${method} ${path}: no answer within ${timeoutMs} ms`))
    }
    const late = setTimeout(timedOut, timeoutMs)
    sent.once('error', fail)
    sent.end(bytes)
    return promise
  }

  close(): void {
    this.#agent.destroy()
  }
}
