import type { CalibrationSource } from './calibration.ts'
import type { CapacityPlan } from './capacity.ts'
import type { Resources } from './classic.ts'
import type { MeasuredPlan } from './measured.ts'
import { quantity, threeDigits } from './quantity.ts'
import type { Rates } from './rates.ts'

/** A plan as JSON: what `weir plan --json` prints and `POST /api/v1/capacity` answers. */
export function planJson(plan: CapacityPlan): object {
  const { demand, rates, classic, measured, candidates, source } = plan
  return {
    demand: {
      devices: demand.devices,
      samples_per_second: demand.samplesPerSecond,
      metrics: demand.metrics,
      retention_days: demand.retentionDays,
      queries_per_second: demand.queriesPerSecond,
      peak_factor: demand.peakFactor,
      replicas: demand.replicas,
      payload_bytes: demand.payloadBytes ?? null,
    },
    rates: {
      mean: ratesJson(rates.mean),
      peak: ratesJson(rates.peak),
      planned_for: ratesJson(rates.design),
      points_per_day: rates.pointsPerDay,
      points_kept: rates.pointsKept,
    },
    phase: plan.phase,
    topology: plan.topology,
    ...resourcesJson(plan.resources),
    advice: plan.advice,
    classic: {
      ...resourcesJson(classic.atMean),
      summary: resourceSummary(classic.atMean),
      with_headroom: resourcesJson(classic.atDesign),
      topology: classic.topology,
      reason: classic.reason,
    },
    measured:
      measured === undefined ? null : { ...measuredJson(measured.chosen), reason: measured.reason },
    candidates: candidates.map(measuredJson),
    calibration: source === undefined ? null : sourceJson(source),
    warnings: plan.warnings,
  }
}

/** `4 cores, 16 GB memory, 1.94 TB disk, 4 Mbit/s, 21.6 GB a day`. */
export function resourceSummary(resources: Resources): string {
  const { cores, memoryBytes, diskBytes, networkBitsPerSecond, storedBytesPerDay } = resources
  return [
    `${cores} cores`,
    `${quantity(memoryBytes, 'B')} memory`,
    `${quantity(diskBytes, 'B')} disk`,
    quantity(networkBitsPerSecond, 'bit/s'),
    `${quantity(storedBytesPerDay, 'B')} a day`,
  ].join(', ')
}

function resourcesJson(resources: Resources): object {
  return {
    cores: resources.cores,
    memory_bytes: resources.memoryBytes,
    disk_bytes: Math.ceil(resources.diskBytes),
    network_bits_per_second: Math.ceil(resources.networkBitsPerSecond),
    stored_bytes_per_day: Math.ceil(resources.storedBytesPerDay),
  }
}

function ratesJson({ messagesPerSecond, pointsPerSecond, queriesPerSecond }: Rates): object {
  return {
    messages_per_second: messagesPerSecond,
    points_per_second: pointsPerSecond,
    queries_per_second: queriesPerSecond,
  }
}

function measuredJson(plan: MeasuredPlan): object {
  const roles = Object.entries(plan.coresByRole).map(([role, cores]) => [role, threeDigits(cores)])
  return {
    solution: plan.solution,
    topology: plan.topology,
    flags: plan.flags,
    holds: plan.holds,
    extrapolation: threeDigits(plan.extrapolation),
    confidence: plan.confidence,
    max_rates: ratesJson(plan.maxRates),
    ...resourcesJson(plan.resources),
    cores_by_role: Object.fromEntries(roles) as object,
    bytes_per_point: threeDigits(plan.bytesPerPoint),
    cpu_microseconds_per_point: threeDigits(plan.cpuSecondsPerPoint * 1e6),
    cpu_microseconds_per_query: threeDigits(plan.cpuSecondsPerQuery * 1e6),
    warnings: plan.warnings,
  }
}

function sourceJson(source: CalibrationSource): object {
  return {
    run: source.run,
    started_at: source.startedAt,
    command: source.command,
    commit: source.commit,
    cpu: source.cpu,
    cores: source.cores,
    memory_bytes: source.memoryBytes,
    kernel: source.kernel,
    node: source.node,
    is_quick: source.isQuick,
    blocks: source.blocks,
  }
}
