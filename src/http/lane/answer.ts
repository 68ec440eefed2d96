import { STATUS_CODES } from 'node:http'
import { JSON_TYPE } from '../app.ts'
import { encodeProblem, PROBLEM_TYPE, type HttpProblem } from '../problem.ts'

/** Fastify adds the charset to every type of JSON. */
const PROBLEM_CONTENT_TYPE = `${PROBLEM_TYPE}; charset=utf-8`

const HEAD_OF_STATUS = {
  200: `HTTP/1.1 200 OK\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: `,
  201: `HTTP/1.1 201 Created\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: `,
}

/** Whole HTTP answers as text; `last`: the connection ends with it. */
export interface Answers {
  success(status: 200 | 201, json: string, last: boolean): string
  problem(problem: HttpProblem, requestId: string, last: boolean): string
}

/** Answers with the fields of node:http's, in its order. */
export function createAnswers(keepAliveMs: number): Answers {
  const keep = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}`
  let second = 0
  let kept = ''
  let closed = ''
  const end = (last: boolean): string => {
    const now = Date.now()
    if (now - second >= 1000 || now < second) {
      second = now - (now % 1000)
      const date = `\r\nDate: ${new Date(now).toUTCString()}\r\n`
      kept = `${date}${keep}\r\n\r\n`
      closed = `${date}Connection: close\r\n\r\n`
    }
    return last ? closed : kept
  }
  return {
    success: (status, json, last) =>
      HEAD_OF_STATUS[status] + Buffer.byteLength(json) + end(last) + json,
    problem(problem, requestId, last) {
      const { status, options } = problem
      const body = encodeProblem(problem, requestId)
      let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
      const fields = {
        ...options.headers,
        'x-request-id': requestId,
        'content-type': PROBLEM_CONTENT_TYPE,
      }
      for (const [name, value] of Object.entries(fields)) head += `${name}: ${value}\r\n`
      return `${head}content-length: ${Buffer.byteLength(body)}${end(last)}${body}`
    },
  }
}
