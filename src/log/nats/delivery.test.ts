import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recorder, taggedEntry, until } from '../log.contract.ts'
import { Delivery } from './delivery.ts'
import { Names } from './names.ts'
import { ScriptedNats } from './scripted-nats.fixture.ts'

test(
  'a partition is given back when its last delivery is done, not the backlog of others',
  { timeout: 20_000 },
  async t => {
    const nats = new ScriptedNats()
    const names = new Names('weir')
    const { entries, deliver } = recorder()
    // Each delivery waits for the test.
    let release: (() => void) | undefined
    const delivery = new Delivery({
      ...{
        link: nats.link,
        names,
        isHeld: () => true,
        onBad: () => assert.fail(),
        onFailure: () => assert.fail(),
      },
      async deliver(given) {
        await new Promise<void>(resolve => (release = resolve))
        deliver(given)
      },
    })
    t.after(async () => {
      const closed = delivery.close()
      release?.()
      await closed
    })
    const [given, kept] = [0, 1].map(partition => names.entries(partition).stream)
    for (const partition of [0, 1]) delivery.add({ partition, offset: 0 }, 0)
    nats.append(given, taggedEntry(0).frame)
    await until(() => release !== undefined)
    // Meanwhile more comes of both.
    nats.append(given, taggedEntry(1).frame)
    nats.append(kept, taggedEntry(2).frame)
    await nats.settled()
    const removed = delivery.remove([0])
    const first = release
    first?.()
    await removed
    await until(() => release !== first)
    release?.()
    await until(() => entries.length === 2)
    assert.deepEqual(
      entries.map(({ position }) => position.partition),
      [0, 1],
    )
  },
)
