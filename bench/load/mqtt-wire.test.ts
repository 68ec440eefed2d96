import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ackParser, connectPacket, publishPacket } from './mqtt-wire.ts'

describe('MQTT packets of the load', () => {
  it('are those of MQTT 3.1.1', () => {
    // Section 3.1: protocol name, level 4, clean session, keep-alive 0, client identifier.
    assert.deepEqual(connectPacket('ab'), Buffer.from('100e00044d5154540402000000026162', 'hex'))
    // Section 3.3: QoS 1; section 2.2.3: the length takes two bytes from 128 on.
    const short = publishPacket('a/b', Buffer.from('hi'))
    short.bytes.writeUInt16BE(513, short.idAt)
    assert.deepEqual(short.bytes, Buffer.from('3209' + '0003612f62' + '0201' + '6869', 'hex'))
    const long = publishPacket('a/b', Buffer.alloc(193))
    assert.deepEqual(long.bytes.subarray(0, 5), Buffer.from('32c8010003', 'hex'))
    assert.equal(long.bytes.length, 3 + 200)
  })

  it('say where the parts of a message are', () => {
    const { bytes, idAt, payloadAt } = publishPacket('a/b', Buffer.from('payload'))
    assert.equal(bytes.toString('utf8', idAt - 3, idAt), 'a/b')
    assert.equal(bytes.toString('utf8', payloadAt), 'payload')
  })

  for (const cut of [1, 2, 3, 5, 100, 300]) {
    it(`reads acknowledgements in pieces of ${cut} bytes, and passes over what is none`, () => {
      const bytes = Buffer.concat([
        Buffer.from([0x20, 2, 0, 5]),
        Buffer.from([0x40, 2, 0, 1]),
        Buffer.from([0xd0, 0]),
        // A PUBLISH of 200 bytes.
        Buffer.from([0x30, 0xc8, 0x01]),
        Buffer.alloc(200, 0x40),
        Buffer.from([0x40, 2, 0xff, 0xff]),
      ])
      const codes: number[] = []
      const ids: number[] = []
      const parser = ackParser({ connack: code => codes.push(code), puback: id => ids.push(id) })
      for (let at = 0; at < bytes.length; at += cut) {
        parser.feed(bytes, at, Math.min(bytes.length, at + cut))
      }
      assert.deepEqual(codes, [5])
      assert.deepEqual(ids, [1, 65_535])
    })
  }
})
