/**
 * The block codec alone: points/s of encode and decode, and bytes a point, per kind of data. Run
 * with `node bench/codec.bench.ts [seed]`. The mixture gives each kind of value the same share
 * (the full-entropy one is one in ten) and half of the series jittered times.
 */
import {
  decodeBlock,
  decodeBlockInto,
  encodeBlock,
  readBlockHeader,
} from '../src/store/blocks/codec/block.ts'

const POINTS = 65_536
const START = 1_767_225_600_000_000
const SECOND = 1_000_000

const seed = Number(process.argv[2] ?? 1)
let state = seed >>> 0
/** Mulberry32: 32 random bits as a fraction. */
function random(): number {
  state = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

function series(next: (i: number) => number): Float64Array {
  return Float64Array.from({ length: POINTS }, (_, i) => next(i))
}

/** A walk in steps of 1/scale that comes back to its start. */
function walk(scale: number, spread: number): Float64Array {
  let at = 0
  return series(() => {
    at = at * 0.999 + spread * normal()
    return (Math.round(at) + 21 * scale) / scale
  })
}

function sine(scale: number, period: number): Float64Array {
  return series(i => Math.round((20 + 8 * Math.sin((2 * Math.PI * i) / period)) * scale) / scale)
}

let count = 0
let status = 0
/** The mixture: one line is one metric in ten. */
const kinds: [string, Float64Array][] = [
  ['walk 0.1', walk(10, 0.7)],
  ['walk 0.01', walk(100, 3)],
  ['walk 0.01 coarse', walk(100, 12)],
  ['sine 2 digits', sine(100, 8640)],
  ['sine 3 digits', sine(1000, 8640)],
  ['sine 2 digits fast', sine(100, 360)],
  ['counter', series(() => (count += 40 + Math.floor(random() * 8)))],
  ['counter rare', series(() => (count += random() < 0.05 ? 1 : 0))],
  ['state', series(() => (random() < 0.01 ? (status = Math.floor(random() * 3)) : status))],
  ['random float64', series(() => random() + random() / 2 ** 32)],
]
/** Not in the mixture. */
const others: [string, Float64Array][] = [
  ['constant', series(() => 21.5)],
  ['float32', series(() => Math.fround(20 + normal()))],
  ['converted 0.1', walk(10, 0.7).map(celsius => celsius * 1.8 + 32)],
  ['smooth float64', series(i => 20 + 8 * Math.sin((2 * Math.PI * i) / 8640))],
]

const regular = series(i => START + i * 10 * SECOND)
const jittered = series(i => START + i * 10 * SECOND + Math.round((random() - 0.5) * 10) * 1000)

interface Result {
  bytesPerPoint: number
  encode: number
  decode: number
}

function measure(timestamps: Float64Array, values: Float64Array, size: number): Result {
  const columns = { timestamps, values }
  const blocks: Buffer[] = []
  for (let at = 0; at + size <= POINTS; at += size) {
    blocks.push(encodeBlock(columns, at, at + size))
  }
  const points = blocks.length * size
  const bytes = blocks.reduce((sum, block) => sum + block.length, 0)
  const times = new Float64Array(size)
  const numbers = new Float64Array(size)
  const encode = fastest(blocks.length, i => void encodeBlock(columns, i * size, (i + 1) * size))
  const decode = fastest(blocks.length, i => void decodeBlockInto(blocks[i], times, numbers, 0))
  return { bytesPerPoint: bytes / points, encode: points / encode, decode: points / decode }
}

/**
 * Seconds of `count` calls, each at its fastest of several: what other processes of the machine
 * add is left out, and so is most of the garbage collection.
 */
function fastest(count: number, run: (i: number) => void): number {
  const best = new Float64Array(count).fill(Infinity)
  const end = performance.now() + 200
  for (let round = 0; round < 4 || performance.now() < end; round++) {
    for (let i = 0; i < count; i++) {
      const start = performance.now()
      run(i)
      best[i] = Math.min(best[i], performance.now() - start)
    }
  }
  return best.reduce((sum, ms) => sum + ms, 0) / 1000
}

function row(name: string, result: Result, size: number): void {
  const million = (rate: number): string => (rate / 1e6).toFixed(1).padStart(7)
  const micros = ((size / result.encode) * 1e6).toFixed(1).padStart(8)
  console.log(
    name.padEnd(30),
    result.bytesPerPoint.toFixed(3).padStart(7),
    million(result.encode),
    million(result.decode),
    micros,
  )
}

function mean(results: Result[]): Result {
  const total = (pick: (result: Result) => number): number =>
    results.reduce((sum, result) => sum + pick(result), 0) / results.length
  return {
    bytesPerPoint: total(result => result.bytesPerPoint),
    encode: 1 / total(result => 1 / result.encode),
    decode: 1 / total(result => 1 / result.decode),
  }
}

console.log(`seed ${seed}, node ${process.version}`)
for (const [, values] of [...kinds, ...others]) measure(jittered, values, 4096)
for (const size of [4096, 500, 300]) {
  console.log(`\nblocks of ${size}                 bytes/  encode  decode   µs to`)
  console.log('values               times       point   Mpt/s   Mpt/s   encode')
  const mixture: Result[] = []
  for (const [name, values] of kinds) {
    for (const [label, timestamps] of [
      ['regular', regular],
      ['jittered', jittered],
    ] as const) {
      const result = measure(timestamps, values, size)
      mixture.push(result)
      row(`${name.padEnd(20)} ${label}`, result, size)
    }
  }
  row('mixture', mean(mixture), size)
  for (const [name, values] of others)
    row(`${name.padEnd(20)} regular`, measure(regular, values, size), size)
}

const block = encodeBlock({ timestamps: jittered, values: kinds[1][1] }, 0, 4096)
const headers = fastest(1, () => {
  for (let i = 0; i < 10_000; i++) readBlockHeader(block)
})
console.log(`\nreadBlockHeader: ${((headers / 10_000) * 1e9).toFixed(0)} ns`)
const texts = Array.from({ length: 500 }, (_, i) => (i % 50 === 0 ? `restart ${i}` : 'running'))
const words = { timestamps: regular.slice(0, 500), values: new Float64Array(500).fill(NaN), texts }
const wordBlock = encodeBlock(words, 0, 500)
const encodeTexts = fastest(1, () => void encodeBlock(words, 0, 500))
const decodeTexts = fastest(1, () => void decodeBlock(wordBlock))
console.log(
  `500 texts: ${wordBlock.length} bytes, encode ${(encodeTexts * 1e6).toFixed(0)} µs,`,
  `decode ${(decodeTexts * 1e6).toFixed(0)} µs`,
)
