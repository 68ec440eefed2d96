import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Template } from '../workloads/template.ts'
import type { RequestKind } from '../workloads/workload.ts'
import { CompiledWorkload } from './compiled-workload.ts'
import { WORKLOAD } from './target.fixture.ts'

const STARTED_AT = Date.parse('2026-03-01T23:59:59.990Z')
const DEVICE: Template = { is: 'device' }

interface Written {
  readonly head: string
  readonly path: string
  readonly body: unknown
}

function compiled(kinds: Partial<RequestKind>[], seed = 1): CompiledWorkload {
  const requests = kinds.map((kind, i) => ({
    ...{ name: `kind ${i}`, weight: 1, method: 'POST' as const, path: ['/x'] },
    ...{ expects: [200], points: 0 },
    ...kind,
  }))
  const workload = { ...WORKLOAD, devices: 30, requests }
  return new CompiledWorkload({ url: 'http://h:1', key: 'k1', workload, seed }, STARTED_AT)
}

function written(requests: CompiledWorkload, index: number, intendedMs = index): Written {
  const bytes = Buffer.alloc(requests.maxBytes, '#')
  const place = { stream: 1, index, serial: index }
  const kind = requests.kindOf(place)
  const text = requests.write(place, intendedMs, bytes).toString()
  assert.equal(requests.kind, kind)
  const end = text.indexOf('\r\n\r\n')
  const head = text.slice(0, end)
  const body = text.slice(end + 4)
  const length = /Content-Length: (\d+)$/.exec(head)?.[1] ?? '0'
  assert.equal(Buffer.byteLength(body), Number(length))
  return { head, path: head.split(' ')[1], body: body === '' ? undefined : JSON.parse(body) }
}

const bodies = (body: Template, count: number): unknown[] => {
  const requests = compiled([{ body }])
  return Array.from({ length: count }, (_, index) => written(requests, index).body)
}

describe('the requests of a workload', () => {
  it('are HTTP with host, key, type and length', () => {
    const { head, body } = written(
      compiled([{ body: { is: 'constant', value: 'Überdruck "1"' } }]),
      0,
    )
    assert.deepEqual(head.split('\r\n'), [
      'POST /x HTTP/1.1',
      'Host: h:1',
      'Authorization: Bearer k1',
      'Content-Type: application/json',
      'Content-Length: 18',
    ])
    assert.equal(body, 'Überdruck "1"')
  })

  it('escape what stands in a path', () => {
    const path = ['/a/', DEVICE, '?q=', { is: 'constant', value: 'ä &/' }, '&t='] as const
    const requests = compiled([{ method: 'GET', path: [...path, { is: 'time', agoMs: 1000 }] }])
    const { head, path: found } = written(requests, 3, 5)
    assert.match(found, /^\/a\/d-000\d\d\?q=%C3%A4%20%26%2F&t=2026-03-01T23%3A59%3A58\.995Z$/)
    assert.doesNotMatch(head, /Content/)
  })

  it('draw numbers within their bounds, all of them, with all their decimals', () => {
    const found = bodies({ is: 'number', min: -0.2, max: 0.3, decimals: 1 }, 300)
    const distinct = [...new Set(found as number[])].toSorted((a, b) => a - b)
    assert.deepEqual(
      distinct.map(value => value || 0),
      [-0.2, -0.1, 0, 0.1, 0.2, 0.3],
    )
    const wide = bodies({ is: 'number', min: 0, max: 9e15, decimals: 0 }, 100) as number[]
    assert.ok(wide.every(value => Number.isSafeInteger(value)) && Math.max(...wide) > 1e15)
  })

  it('pick each of the values as often, and kinds by their weight', () => {
    const counts = new Map<unknown, number>()
    const picks = bodies({ is: 'pick', of: ['a', 2, 'c"'] }, 3000)
    for (const pick of picks) counts.set(pick, (counts.get(pick) ?? 0) + 1)
    assert.deepEqual(new Set(counts.keys()), new Set(['a', 2, 'c"']))
    for (const count of counts.values()) assert.ok(count > 900 && count < 1100, `${count}`)
    const requests = compiled([{ weight: 19 }, { weight: 1 }])
    const kinds = Array.from({ length: 4000 }, (_, index) =>
      requests.kindOf({ stream: 1, index, serial: 0 }),
    )
    const second = kinds.filter(kind => kind === 1).length
    assert.ok(second > 150 && second < 250, `${second}`)
  })

  it('depend on seed and place only, not on what was written before', () => {
    const body: Template = {
      is: 'object',
      fields: { d: DEVICE, v: { is: 'number', min: 0, max: 1, decimals: 9 } },
    }
    const kinds = [{ body, path: ['/', DEVICE] }, { body }]
    const forwards = compiled(kinds)
    const expected = Array.from({ length: 50 }, (_, index) => written(forwards, index))
    const backwards = compiled(kinds)
    for (let index = 49; index >= 0; index--)
      assert.deepEqual(written(backwards, index), expected[index])
    const other = compiled(kinds, 2)
    assert.notDeepEqual(written(other, 7), expected[7])
    const { path, body: found } = expected.find(({ path }) => path !== '/x')!
    assert.equal(`/${(found as { d: string }).d}`, path)
  })

  it('never have the same time twice for a device where it is unique', () => {
    const body: Template = {
      is: 'object',
      fields: { d: DEVICE, t: { is: 'time', unique: true }, u: { is: 'time' } },
    }
    const requests = compiled([{ body }])
    const found = Array.from(
      { length: 500 },
      (_, index) => written(requests, index, index / 50).body as Record<'d' | 't' | 'u', string>,
    )
    assert.equal(new Set(found.map(({ d, t }) => `${d} ${t}`)).size, 500)
    assert.ok(found.every(({ t, u }) => t >= u))
    assert.equal(found[0].t, '2026-03-01T23:59:59.990Z')
    assert.equal(found[499].u, '2026-03-01T23:59:59.999Z')
  })

  it('lay the times of a list apart, and move it as a whole behind what was there', () => {
    const of: Template = { is: 'object', fields: { t: { is: 'time', unique: true } } }
    const body: Template = { is: 'list', of, count: 3, everyMs: 1000 }
    const requests = compiled([{ body }])
    const send = (index: number): number[] => {
      const place = { stream: 1, index, serial: index, device: 4 }
      const bytes = requests.write(place, 10, Buffer.alloc(requests.maxBytes)).toString()
      const items = JSON.parse(bytes.slice(bytes.indexOf('['))) as { t: string }[]
      return items.map(({ t }) => Date.parse(t) - STARTED_AT)
    }
    assert.deepEqual(send(0), [-1990, -990, 10])
    assert.deepEqual(send(1), [11, 1011, 2011])
  })

  it('give each item of a list a device of its own', () => {
    const body: Template = { is: 'list', of: DEVICE, count: 30, device: 'each' }
    for (const found of bodies(body, 20)) assert.equal(new Set(found as string[]).size, 30)
    const same = bodies({ is: 'list', of: DEVICE, count: 5 }, 20) as string[][]
    for (const found of same) assert.equal(new Set(found).size, 1)
  })

  it('have serials that no other has', () => {
    const serial: Template = { is: 'serial', prefix: 'p-' }
    const body: Template = { is: 'list', of: serial, count: 3 }
    const requests = compiled([{ body }, { path: ['/', serial] }])
    const found = Array.from({ length: 200 }, (_, index) => written(requests, index)).flatMap(
      ({ body, path }) => (body as string[] | undefined) ?? path.slice(1),
    )
    assert.equal(new Set(found).size, found.length)
  })

  it('refuse an object in a path', () => {
    assert.throws(() => compiled([{ path: [{ is: 'object', fields: {} }] }]), /path/)
  })
})
