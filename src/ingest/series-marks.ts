let epoch = 0

/** A number that no batch under construction has used before. */
export function nextEpoch(): number {
  return ++epoch
}

/**
 * Per series, device and metric of the series table: in which batch under construction it was
 * last seen, and at which place there. It answers "is it in this batch's dictionary?" with two
 * array reads, and needs no clearing between batches because epochs never repeat.
 */
export class SeriesMarks {
  seriesEpoch: Float64Array = new Float64Array(1024)
  seriesPlace: Uint32Array = new Uint32Array(1024)
  deviceEpoch: Float64Array = new Float64Array(256)
  devicePlace: Uint32Array = new Uint32Array(256)
  metricEpoch: Float64Array = new Float64Array(256)
  metricPlace: Uint32Array = new Uint32Array(256)

  growSeries(id: number): void {
    this.seriesEpoch = grown(this.seriesEpoch, new Float64Array(2 * id + 2))
    this.seriesPlace = grown(this.seriesPlace, new Uint32Array(2 * id + 2))
  }

  growDevices(id: number): void {
    this.deviceEpoch = grown(this.deviceEpoch, new Float64Array(2 * id + 2))
    this.devicePlace = grown(this.devicePlace, new Uint32Array(2 * id + 2))
  }

  growMetrics(id: number): void {
    this.metricEpoch = grown(this.metricEpoch, new Float64Array(2 * id + 2))
    this.metricPlace = grown(this.metricPlace, new Uint32Array(2 * id + 2))
  }
}

function grown<T extends Float64Array | Uint32Array>(old: T, larger: T): T {
  larger.set(old)
  return larger
}
