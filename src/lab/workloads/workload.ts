import type { Executor } from '../generator/executor.ts'
import type { PathPart, Template } from './template.ts'

/** One kind of request of a workload; results name its figures by it. */
export interface RequestKind {
  /** For people and tables: `POST telemetry`. Unique in its workload. */
  readonly name: string
  /** Its share of the requests is weight ÷ sum of the weights. */
  readonly weight: number
  readonly method: 'GET' | 'POST'
  readonly path: readonly PathPart[]
  readonly body?: Template
  /** Statuses that are a success. */
  readonly expects: readonly number[]
  /** Statuses that are an answer too, counted apart: neither success nor failure (a 409). */
  readonly tolerates?: readonly number[]
  /** Points that one success acknowledges; 0 for reads. */
  readonly points: number
}

/** What a run needs to be there before it starts; made by the API in batches, from the seed. */
export interface History {
  /** Points of each metric of each device. */
  readonly points: number
  /** Between two points of a series. */
  readonly intervalMs: number
}

/** Latencies in milliseconds. What must hold for a rate to count as sustained. */
export interface Slo {
  readonly p99Ms: number
  readonly p95Ms: number
  /** Errors, time-outs and refusals, of all requests. */
  readonly maxErrorShare: number
  /** Achieved ÷ offered. */
  readonly minAchievedShare: number
  readonly freshnessP99Ms: number
}

/** A profile or a scenario: the one definition that the generator runs and the exports write. */
export interface Workload {
  readonly id: string
  readonly title: string
  /** One sentence: what it stands for. */
  readonly summary: string
  readonly devices: number
  /** `device-00042`: prefix and a number of five digits. */
  readonly devicePrefix: string
  /** What a device measures, with the range of its values. */
  readonly metrics: Readonly<Record<string, { min: number; max: number; decimals: number }>>
  readonly requests: readonly RequestKind[]
  readonly history: History
  /** How it is run when nobody searches for its limit. */
  readonly executor: Executor
  readonly slo: Slo
}

export const DEFAULT_SLO: Slo = {
  p99Ms: 300,
  p95Ms: 150,
  maxErrorShare: 0.01,
  minAchievedShare: 0.99,
  freshnessP99Ms: 2000,
}
