import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WeirError } from '../../ports/errors.ts'
import type { Engine } from './engine.ts'
import { Inbox } from './inbox.ts'
import type { WriteMessage } from './protocol.ts'

/** An engine whose head has room for as many frames as the test says. */
function setUp() {
  const state = { room: 0, taken: 0 }
  let onEnd = (): void => {}
  const loop = {
    failure: undefined as WeirError | undefined,
    onEnd: (listener: () => void) => (onEnd = listener),
  }
  const engine = {
    loop,
    onRoom: (): void => {},
    take: () => {
      if (state.room === 0) return false
      state.room--
      state.taken++
      return true
    },
  }
  const inbox = new Inbox(engine as unknown as Engine, () => {})
  return { inbox, state, loop, makeRoom: () => engine.onRoom(), flushEnds: () => onEnd() }
}

const write = (through: number): WriteMessage => ({
  kind: 'write',
  buffer: new ArrayBuffer(8),
  frames: [through, 0, through, 0, 8],
  through,
})

test('a read waits for the writes before it and for no later ones', async () => {
  const { inbox, state, makeRoom } = setUp()
  inbox.write(write(1))
  const read = inbox.settled().then(() => state.taken)
  inbox.write(write(2))
  state.room = 1
  makeRoom()
  assert.equal(await read, 1, 'the second write still waits')
})

test('a read with nothing before it is served at once', async () => {
  const { inbox, state } = setUp()
  state.room = 1
  inbox.write(write(1))
  await inbox.settled()
  assert.equal(state.taken, 1)
})

test('reads are served without the waiting writes while the flush fails', async () => {
  const { inbox, state, loop, flushEnds } = setUp()
  inbox.write(write(1))
  const read = inbox.settled()
  loop.failure = new Error('the disk is full') as WeirError
  flushEnds()
  await read
  await inbox.settled()
  assert.equal(state.taken, 0)
})
