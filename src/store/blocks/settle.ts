import { PointBuffer } from './point-buffer.ts'

/** Shorter runs are completed by insertion before they are merged. */
const MIN_RUN = 16

let times = new Float64Array(1024)
let spareTimes = new Float64Array(1024)
let order = new Int32Array(1024)
let spareOrder = new Int32Array(1024)
let starts = new Int32Array(128)
const sorted = new PointBuffer()

/**
 * Brings points from order of arrival to order of time, each time once: of several points at one
 * time the last one stays. Costs one pass when there is nothing to do, which is the rule.
 */
export function settle(points: PointBuffer): void {
  if (isRising(points)) return
  const count = points.length
  prepare(points)
  mergeRuns(cutRuns(count), count)
  sorted.clear()
  sorted.reserve(count)
  for (let i = 0; i < count; i++) {
    // Equal times stand in order of arrival, so the last of them wins.
    if (i + 1 < count && times[i + 1] === times[i]) continue
    const place = order[i]
    sorted.push(times[i], points.values[place], points.texts?.[place])
  }
  points.clear()
  points.append(sorted, 0, sorted.length)
}

function isRising({ timestamps, length }: PointBuffer): boolean {
  for (let i = 1; i < length; i++) if (!(timestamps[i] > timestamps[i - 1])) return false
  return true
}

function prepare(points: PointBuffer): void {
  const count = points.length
  if (times.length < count) {
    const capacity = 2 * count
    times = new Float64Array(capacity)
    spareTimes = new Float64Array(capacity)
    order = new Int32Array(capacity)
    spareOrder = new Int32Array(capacity)
    starts = new Int32Array(Math.ceil(capacity / MIN_RUN) + 2)
  }
  times.set(points.timestamps.subarray(0, count))
  for (let i = 0; i < count; i++) order[i] = i
}

/** Cuts the points into runs that do not fall; returns how many, their starts are in `starts`. */
function cutRuns(count: number): number {
  let runs = 0
  let at = 0
  while (at < count) {
    starts[runs++] = at
    let end = at + 1
    while (end < count && times[end] >= times[end - 1]) end++
    const wanted = Math.min(at + MIN_RUN, count)
    while (end < wanted) insert(at, end++)
    at = end
  }
  starts[runs] = count
  return runs
}

function insert(from: number, at: number): void {
  const time = times[at]
  const place = order[at]
  let to = at
  while (to > from && times[to - 1] > time) {
    times[to] = times[to - 1]
    order[to] = order[to - 1]
    to--
  }
  times[to] = time
  order[to] = place
}

/** Merges neighbours until one run is left; the result is in `times` and `order`. */
function mergeRuns(found: number, count: number): void {
  let runs = found
  while (runs > 1) {
    let next = 0
    for (let run = 0; run < runs; run += 2) {
      const from = starts[run]
      const middle = run + 1 < runs ? starts[run + 1] : count
      const to = run + 2 < runs ? starts[run + 2] : count
      mergeTwo(from, middle, to)
      starts[next++] = from
    }
    starts[next] = count
    runs = next
    ;[times, spareTimes] = [spareTimes, times]
    ;[order, spareOrder] = [spareOrder, order]
  }
}

function mergeTwo(from: number, middle: number, to: number): void {
  const source = times
  const target = spareTimes
  const sourceOrder = order
  const targetOrder = spareOrder
  let left = from
  let right = middle
  for (let at = from; at < to; at++) {
    // The left one goes first when equal: it came earlier.
    if (left < middle && (right >= to || source[left] <= source[right])) {
      target[at] = source[left]
      targetOrder[at] = sourceOrder[left++]
    } else {
      target[at] = source[right]
      targetOrder[at] = sourceOrder[right++]
    }
  }
}

export interface PointSlice {
  readonly points: PointBuffer
  readonly from: number
  readonly to: number
}

/** Appends the union of two settled slices to `out`; where both have a time, `later` wins. */
export function mergeSlices(out: PointBuffer, earlier: PointSlice, later: PointSlice): void {
  const a = earlier.points
  const b = later.points
  let i = earlier.from
  let j = later.from
  out.reserve(earlier.to - i + later.to - j)
  while (i < earlier.to && j < later.to) {
    const left = a.timestamps[i]
    const right = b.timestamps[j]
    if (left < right) {
      out.push(left, a.values[i], a.texts?.[i])
      i++
      continue
    }
    out.push(right, b.values[j], b.texts?.[j])
    j++
    if (left === right) i++
  }
  out.append(a, i, earlier.to)
  out.append(b, j, later.to)
}
