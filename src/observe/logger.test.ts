import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { createLogger } from './logger.ts'
import type { LoggerOptions } from './logger.ts'

function capture(options: Partial<LoggerOptions> = {}) {
  const out = new PassThrough()
  const logger = createLogger({ level: 'info', format: 'json', out, ...options })
  return { logger, text: () => String(out.read() ?? '') }
}

test('a JSON line has its level by name and its time as ISO 8601', () => {
  const { logger, text } = capture()
  logger.info({ port: 8080 }, 'listening')
  const { time, ...entry } = JSON.parse(text()) as Record<string, unknown>
  assert.deepEqual(entry, { level: 'info', port: 8080, msg: 'listening' })
  assert.equal(new Date(String(time)).toISOString(), time)
})

test('keys and tokens never reach a line, wherever they sit', () => {
  const { logger, text } = capture()
  const secret = 'wk_0123456789'
  logger.info({ token: secret, key: secret, password: secret })
  logger.info({ headers: { authorization: `Bearer ${secret}`, 'x-api-key': secret } })
  logger.info({ req: { headers: { authorization: `Bearer ${secret}`, cookie: secret } } })
  const lines = text()
  assert.equal(lines.split('\n').length, 4)
  assert.doesNotMatch(lines, /wk_/)
})

test('lines below the level are not written', () => {
  const { logger, text } = capture({ level: 'warn' })
  logger.info('quiet')
  assert.equal(text(), '')
})

test('a pretty line shows part, message, fields and the stack of an error', () => {
  const { logger, text } = capture({ format: 'pretty' })
  logger.child({ part: 'mqtt' }).warn({ client: 'pump 7', err: new Error('cut') }, 'client lost')
  const [line = '', ...stack] = text().split('\n')
  assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} {2}warn {3}mqtt {2}client lost {2}client="pump 7"$/)
  assert.match(stack.join('\n'), /^ {4}Error: cut\n {8}at /)
})

test('auto means JSON where there is no terminal', () => {
  const { logger, text } = capture({ format: 'auto' })
  logger.info('x')
  assert.match(text(), /^\{/)
})
