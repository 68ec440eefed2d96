import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { until } from '../log.contract.ts'
import { Membership } from './membership.ts'
import { Names } from './names.ts'
import { ScriptedNats, ScriptedState } from './scripted-nats.fixture.ts'

const names = new Names('weir')
const PARTITIONS = 4

function group(t: TestContext) {
  const nats = new ScriptedNats()
  const state = new ScriptedState()
  const join = (id: string) => {
    const held = new Set<number>()
    const membership = new Membership({
      ...{ link: nats.link, names, state: state.asState, group: 'writer', id },
      ...{ partitions: PARTITIONS, leaseMs: 500 },
      onAssigned: async partitions => partitions.forEach(partition => held.add(partition)),
      onRevoked: async partitions => partitions.forEach(partition => held.delete(partition)),
      ...{ onResumed: () => {}, onFailure: () => assert.fail() },
    })
    t.after(() => membership.close())
    return { membership, held }
  }
  return { nats, state, join }
}

test(
  'a partition that could not be given back is given back later',
  { timeout: 20_000 },
  async t => {
    const { nats, state, join } = group(t)
    const one = join('one')
    await until(() => one.held.size === PARTITIONS)
    state.isAway = true
    const other = join('two')
    await until(() => one.held.size === PARTITIONS / 2)
    await nats.settled()
    state.isAway = false
    await until(() => other.held.size === PARTITIONS / 2)
    assert.deepEqual(one.held, new Set([0, 2]))
    assert.deepEqual(other.held, new Set([1, 3]))
  },
)

test('who leaves gives back what it could not before', { timeout: 20_000 }, async t => {
  const { nats, state, join } = group(t)
  const one = join('one')
  await until(() => one.held.size === PARTITIONS)
  state.isAway = true
  join('two')
  await until(() => one.held.size === PARTITIONS / 2)
  await nats.settled()
  state.isAway = false
  await one.membership.close()
  for (let partition = 0; partition < PARTITIONS; partition++) {
    assert.notEqual(state.get(names.lease('writer', partition)), 'one')
  }
})
