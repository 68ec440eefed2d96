import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Circuit } from './circuit.ts'

function setUp() {
  let nowMs = 1000
  const circuit = new Circuit({
    ...{ failures: 3, firstMs: 100, lastMs: 400, nowMs: () => nowMs, random: () => 1 },
  })
  return { circuit, advance: (ms: number) => void (nowMs += ms) }
}

test('some failures in a row open it, others do not', () => {
  const { circuit } = setUp()
  for (let i = 0; i < 10; i++) {
    circuit.failed()
    circuit.failed()
    circuit.succeeded()
  }
  assert.equal(circuit.allows(), true)
  for (let i = 0; i < 3; i++) circuit.failed()
  assert.equal(circuit.isOpen, true)
  assert.equal(circuit.allows(), false)
})

test('after a wait one may ask, and no other until that is answered', () => {
  const { circuit, advance } = setUp()
  for (let i = 0; i < 3; i++) circuit.failed()
  advance(99)
  assert.equal(circuit.allows(), false)
  advance(1)
  assert.equal(circuit.allows(), true)
  assert.equal(circuit.allows(), false)
  circuit.succeeded()
  assert.equal(circuit.allows(), true)
  assert.equal(circuit.allows(), true)
})

test('each probe that fails makes the next wait longer, up to a bound', () => {
  const { circuit, advance } = setUp()
  for (let i = 0; i < 3; i++) circuit.failed()
  for (const waitMs of [100, 200, 400, 400]) {
    advance(waitMs - 1)
    assert.equal(circuit.allows(), false)
    advance(1)
    assert.equal(circuit.allows(), true)
    circuit.failed()
  }
  advance(400)
  assert.equal(circuit.allows(), true)
  circuit.succeeded()
  for (let i = 0; i < 3; i++) circuit.failed()
  advance(100)
  assert.equal(circuit.allows(), true)
})

test('failures of those who asked before it opened change nothing', () => {
  const { circuit, advance } = setUp()
  for (let i = 0; i < 30; i++) circuit.failed()
  advance(100)
  assert.equal(circuit.allows(), true)
})
