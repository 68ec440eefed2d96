import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { responseParser } from './response-parser.ts'

type Response = [status: number, bodyBytes: number]

function parse(text: string, cut: number): Response[] {
  const found: Response[] = []
  const parser = responseParser((status, bodyBytes) => found.push([status, bodyBytes]))
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += cut) {
    // As a socket does: always into the same buffer, not from its beginning.
    const chunk = Buffer.concat([
      Buffer.from('xx'),
      bytes.subarray(at, at + cut),
      Buffer.from('yyyy'),
    ])
    assert.ok(parser.feed(chunk, 2, chunk.length - 4))
    chunk.fill(0)
  }
  return found
}

const plain = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello'
const upper = 'HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length:3\r\nX: y\r\n\r\nabc'
const empty = 'HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n'
const early = 'HTTP/1.1 100 Continue\r\n\r\n'
const chunked =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwei\n\r\n1A;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: 1\r\n\r\n'

describe('the parser of responses', () => {
  const all = plain + upper + early + empty + chunked + plain
  const expected: Response[] = [
    [200, 5],
    [503, 3],
    [204, 0],
    [200, 30],
    [200, 5],
  ]
  for (let cut = 1; cut <= 70; cut++) {
    it(`finds every response in pieces of ${cut} bytes`, () =>
      assert.deepEqual(parse(all, cut), expected))
  }

  it('finds them in one piece', () => assert.deepEqual(parse(all, all.length), expected))

  it('does not take a body for a head', () => {
    const body = 'HTTP/1.1 500 no\r\n\r\n'
    const text = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    assert.deepEqual(parse(text + plain, 1000), [
      [200, body.length],
      [200, 5],
    ])
  })

  it('says when the server will take no further request', () => {
    const closing: boolean[] = []
    const parser = responseParser((_, __, closes) => closing.push(closes))
    const lastOne = plain.replace('\r\n\r\n', '\r\nConnection: Close\r\n\r\n')
    const bytes = Buffer.from(plain + lastOne + plain.replace('1.1', '1.0'))
    assert.ok(parser.feed(bytes, 0, bytes.length))
    assert.deepEqual(closing, [false, true, true])
  })

  it('takes a body without a length to the end of the connection', () => {
    const found: unknown[] = []
    const parser = responseParser((...response) => found.push(response))
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\n\r\nabc')
    assert.ok(parser.feed(bytes, 0, bytes.length))
    assert.deepEqual(found, [])
    assert.ok(!parser.isBetween())
    parser.end()
    assert.deepEqual(found, [[200, 3, true]])
  })

  for (const garbage of [
    'SSH-2.0-x\r\n',
    'HTTP/1.1 abc\r\n\r\n',
    `HTTP/1.1 200 ${'x'.repeat(70_000)}`,
  ]) {
    it(`refuses ${JSON.stringify(garbage.slice(0, 20))}`, () => {
      const parser = responseParser(() => assert.fail('not an answer'))
      const bytes = Buffer.from(garbage)
      assert.ok(!parser.feed(bytes, 0, bytes.length))
    })
  }
})
