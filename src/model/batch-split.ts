import { crc32 } from 'node:zlib'
import type { Batch, EncodedBatch } from './batch.ts'
import type { Dictionary } from './dictionary.ts'
import { encodeFrame } from './frame.ts'

/**
 * Where the points of a device go in a log of several partitions, so that their order is kept: the
 * CRC-32 of `tenant NUL device` in UTF-8, modulo the partitions. Other programs count on it
 * (docs/formats/partitions.md).
 */
export function partitionOf(tenant: string, device: string, partitions: number): number {
  return crc32(device, crc32(`${tenant}\0`)) % partitions
}

/** What one append brings to one partition, in order. */
export interface PartitionEntries {
  readonly partition: number
  readonly entries: readonly EncodedBatch[]
}

export interface BatchSplitterOptions {
  readonly partitions: number
  /** No frame is larger, unless a single point is. Default: any size. */
  readonly maxFrameBytes?: number
}

/** How the series of a dictionary are divided; kept for as long as the dictionary lives. */
interface Plan {
  readonly tenant: string
  /** The partitions that its devices have, each once. */
  readonly partitions: readonly number[]
  /** Per series: its place in `partitions`, and its place in the dictionary there. */
  readonly seriesPart: Uint32Array
  readonly seriesPlace: Uint32Array
  /** In the order of `partitions`. */
  readonly dictionaries: readonly Dictionary[]
}

/**
 * Divides batches by device over the partitions of a shared log. A batch whose devices all have the
 * same partition keeps its frame; another one becomes a batch, with a dictionary of its own, for each
 * partition. Points keep their order. Called with every append, from the doors' thread.
 */
export class BatchSplitter {
  readonly #partitions: number
  readonly #maxFrameBytes: number
  /** By `seriesDevice`: gateways send the same names again and again (see `Dictionaries`). */
  readonly #plans = new WeakMap<Uint32Array, Plan>()

  constructor({ partitions, maxFrameBytes = Infinity }: BatchSplitterOptions) {
    this.#partitions = partitions
    this.#maxFrameBytes = maxFrameBytes
  }

  /** What each partition gets of these entries; partitions that get nothing are left out. */
  split(entries: readonly EncodedBatch[]): readonly PartitionEntries[] {
    const byPartition = new Map<number, EncodedBatch[]>()
    const put = (partition: number, entry: EncodedBatch): void => {
      const list = byPartition.get(partition)
      if (list === undefined) byPartition.set(partition, [entry])
      else list.push(entry)
    }
    for (const entry of entries) {
      const plan = this.#plan(entry.batch)
      const { partitions } = plan
      if (partitions.length === 1) {
        for (const piece of this.#bounded(entry)) put(partitions[0], piece)
        continue
      }
      const pieces = divide(entry.batch, plan)
      for (let part = 0; part < pieces.length; part++) {
        const batch = pieces[part]
        // A dictionary may name series that have no points.
        if (batch.timestamps.length === 0) continue
        for (const piece of this.#bounded({ batch, frame: encodeFrame(batch) })) {
          put(partitions[part], piece)
        }
      }
    }
    return Array.from(byPartition, ([partition, list]) => ({ partition, entries: list }))
  }

  #plan(batch: Batch): Plan {
    const known = this.#plans.get(batch.seriesDevice)
    // A frame's tenant may have been replaced by its sender's.
    if (known?.tenant === batch.tenant) return known
    const plan = planOf(batch, this.#partitions)
    this.#plans.set(batch.seriesDevice, plan)
    return plan
  }

  /** The entry in pieces that fit, by points. */
  #bounded(entry: EncodedBatch): readonly EncodedBatch[] {
    const { batch, frame } = entry
    const points = batch.timestamps.length
    if (frame.byteLength <= this.#maxFrameBytes || points <= 1) return [entry]
    const count = Math.min(points, Math.ceil(frame.byteLength / this.#maxFrameBytes))
    const pieces: EncodedBatch[] = []
    for (let i = 0; i < count; i++) {
      const from = Math.floor((i * points) / count)
      const slice = sliceOf(batch, from, Math.floor(((i + 1) * points) / count))
      // Texts and names are not spread evenly: a piece may still be too large.
      pieces.push(...this.#bounded({ batch: slice, frame: encodeFrame(slice) }))
    }
    return pieces
  }
}

function planOf(dictionary: Dictionary, partitionCount: number): Plan {
  const { tenant, devices, seriesDevice } = dictionary
  const seed = crc32(`${tenant}\0`)
  const partitions: number[] = []
  const partOf = new Int32Array(partitionCount).fill(-1)
  const devicePart = new Uint32Array(devices.length)
  for (let d = 0; d < devices.length; d++) {
    const partition = crc32(devices[d], seed) % partitionCount
    if (partOf[partition] === -1) partOf[partition] = partitions.push(partition) - 1
    devicePart[d] = partOf[partition]
  }
  // A batch without devices has no points, and may go anywhere.
  if (partitions.length === 0) partitions.push(0)
  const seriesPart = seriesDevice.map(device => devicePart[device])
  if (partitions.length === 1) {
    return { tenant, partitions, seriesPart, seriesPlace: seriesPart, dictionaries: [dictionary] }
  }
  return { tenant, partitions, seriesPart, ...dictionariesOf(dictionary, seriesPart, partitions) }
}

function dictionariesOf(
  dictionary: Dictionary,
  seriesPart: Uint32Array,
  { length: parts }: readonly number[],
): Pick<Plan, 'seriesPlace' | 'dictionaries'> {
  const seriesOf: number[][] = Array.from({ length: parts }, () => [])
  const seriesPlace = new Uint32Array(seriesPart.length)
  for (let s = 0; s < seriesPart.length; s++) {
    seriesPlace[s] = seriesOf[seriesPart[s]].push(s) - 1
  }
  return { seriesPlace, dictionaries: subsetsOf(dictionary, seriesOf) }
}

/** For each of the lists, a dictionary of these series in this order. */
function subsetsOf(dictionary: Dictionary, lists: readonly (readonly number[])[]): Dictionary[] {
  const { tenant, devices, metrics, seriesDevice, seriesMetric } = dictionary
  // Which list has seen the name last, and where it put it.
  const deviceList = new Int32Array(devices.length).fill(-1)
  const devicePlace = new Uint32Array(devices.length)
  const metricList = new Int32Array(metrics.length).fill(-1)
  const metricPlace = new Uint32Array(metrics.length)
  return lists.map((list, at) => {
    const own = {
      tenant,
      devices: [] as string[],
      metrics: [] as string[],
      seriesDevice: new Uint32Array(list.length),
      seriesMetric: new Uint32Array(list.length),
    }
    for (let i = 0; i < list.length; i++) {
      const device = seriesDevice[list[i]]
      if (deviceList[device] !== at) {
        deviceList[device] = at
        devicePlace[device] = own.devices.push(devices[device]) - 1
      }
      own.seriesDevice[i] = devicePlace[device]
      const metric = seriesMetric[list[i]]
      if (metricList[metric] !== at) {
        metricList[metric] = at
        metricPlace[metric] = own.metrics.push(metrics[metric]) - 1
      }
      own.seriesMetric[i] = metricPlace[metric]
    }
    return own
  })
}

/** One batch for each of the plan's partitions; the columns of all are in one memory. */
function divide(batch: Batch, { seriesPart, seriesPlace, dictionaries }: Plan): Batch[] {
  const { seriesIndex, timestamps, values, texts } = batch
  const points = timestamps.length
  const ends = new Uint32Array(dictionaries.length)
  for (let i = 0; i < points; i++) ends[seriesPart[seriesIndex[i]]]++
  const cursors = new Uint32Array(dictionaries.length)
  for (let part = 1; part < ends.length; part++) {
    cursors[part] = ends[part - 1]
    ends[part] += ends[part - 1]
  }
  const starts = cursors.slice()
  const indexes = new Uint32Array(points)
  const times = new Float64Array(points)
  const numbers = new Float64Array(points)
  const words = texts === undefined ? undefined : Array.from<string | undefined>({ length: points })
  for (let i = 0; i < points; i++) {
    const series = seriesIndex[i]
    const at = cursors[seriesPart[series]]++
    indexes[at] = seriesPlace[series]
    times[at] = timestamps[i]
    numbers[at] = values[i]
    if (words !== undefined) words[at] = texts?.[i]
  }
  return dictionaries.map((dictionary, part) => ({
    ...dictionary,
    seriesIndex: indexes.subarray(starts[part], ends[part]),
    timestamps: times.subarray(starts[part], ends[part]),
    values: numbers.subarray(starts[part], ends[part]),
    ...textsOf(words?.slice(starts[part], ends[part])),
  }))
}

/** Points `from` until `to` as a batch that names only what they need. */
function sliceOf(batch: Batch, from: number, to: number): Batch {
  const seriesIndex = batch.seriesIndex.slice(from, to)
  const places = new Int32Array(batch.seriesDevice.length).fill(-1)
  const used: number[] = []
  for (let i = 0; i < seriesIndex.length; i++) {
    const series = seriesIndex[i]
    if (places[series] === -1) places[series] = used.push(series) - 1
    seriesIndex[i] = places[series]
  }
  return {
    ...subsetsOf(batch, [used])[0],
    seriesIndex,
    timestamps: batch.timestamps.subarray(from, to),
    values: batch.values.subarray(from, to),
    ...textsOf(batch.texts?.slice(from, to)),
  }
}

function textsOf(texts: readonly (string | undefined)[] | undefined): Pick<Batch, 'texts'> {
  return texts === undefined || texts.every(text => text === undefined) ? {} : { texts }
}
