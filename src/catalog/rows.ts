import type { KeyLimits, Scope } from '../model/access.ts'
import type { Anomaly, Severity } from '../model/anomaly.ts'
import type { Attributes, Device } from '../model/device.ts'
import type { Key } from '../model/key.ts'
import type { OnViolation, Product } from '../model/product.ts'
import type { Removal } from '../ports/catalog.ts'

/** Columns by name, as every engine of the catalog returns them; the types are the schema's. */
type Row = Readonly<Record<string, unknown>>
type Parameters = (string | number | null)[]

export function deviceParameters(device: Device): Parameters {
  return [
    device.tenant,
    device.id,
    device.uuid,
    device.name ?? null,
    device.type ?? null,
    device.product ?? null,
    device.site ?? null,
    JSON.stringify(device.attributes),
    device.expectedIntervalMs ?? null,
    device.createdAtMs,
    device.lastSeenMs ?? null,
  ]
}

export function deviceOf(row: Row): Device {
  return {
    tenant: row.tenant as string,
    id: row.id as string,
    uuid: row.uuid as string,
    name: (row.name as string | null) ?? undefined,
    type: (row.type as string | null) ?? undefined,
    product: (row.product as string | null) ?? undefined,
    site: (row.site as string | null) ?? undefined,
    attributes: JSON.parse(row.attributes as string) as Attributes,
    expectedIntervalMs: (row.expected_interval_ms as number | null) ?? undefined,
    createdAtMs: row.created_at_ms as number,
    lastSeenMs: (row.last_seen_ms as number | null) ?? undefined,
  }
}

export function productParameters(product: Product): Parameters {
  return [
    product.tenant,
    product.id,
    product.name,
    product.price ?? null,
    JSON.stringify(product.attributes),
    product.expectedIntervalMs ?? null,
    product.createdAtMs,
    JSON.stringify(product.metrics),
    product.onViolation,
  ]
}

export function productOf(row: Row): Product {
  return {
    tenant: row.tenant as string,
    id: row.id as string,
    name: row.name as string,
    price: (row.price as number | null) ?? undefined,
    attributes: JSON.parse(row.attributes as string) as Attributes,
    expectedIntervalMs: (row.expected_interval_ms as number | null) ?? undefined,
    createdAtMs: row.created_at_ms as number,
    metrics: JSON.parse(row.metrics as string) as Product['metrics'],
    onViolation: row.on_violation as OnViolation,
  }
}

export function removalOf(row: Row): Removal {
  return {
    tenant: row.tenant as string,
    id: row.id as string,
    removedAtMs: row.removed_at_ms as number,
  }
}

export function keyParameters(key: Key): Parameters {
  return [
    key.id,
    key.tenant,
    key.hash,
    key.name ?? null,
    key.scopes.join(' '),
    key.device ?? null,
    JSON.stringify(key.limits),
    key.createdAtMs,
    key.expiresAtMs ?? null,
    key.revokedAtMs ?? null,
    key.lastUsedMs ?? null,
    key.lifetimeMs ?? null,
  ]
}

export function keyOf(row: Row): Key {
  return {
    id: row.id as string,
    tenant: row.tenant as string,
    hash: row.hash as string,
    name: (row.name as string | null) ?? undefined,
    scopes: (row.scopes as string).split(' ') as Scope[],
    device: (row.device as string | null) ?? undefined,
    limits: JSON.parse(row.limits as string) as KeyLimits,
    createdAtMs: row.created_at_ms as number,
    expiresAtMs: (row.expires_at_ms as number | null) ?? undefined,
    revokedAtMs: (row.revoked_at_ms as number | null) ?? undefined,
    lastUsedMs: (row.last_used_ms as number | null) ?? undefined,
    lifetimeMs: (row.lifetime_ms as number | null) ?? undefined,
  }
}

export function anomalyParameters(anomaly: Anomaly): Parameters {
  const { tenant, device, metric, timeUs, detector } = anomaly
  return [
    ...[tenant, device, metric, timeUs, detector, anomaly.severity, anomaly.value],
    ...[anomaly.average, anomaly.deviationPct ?? null, anomaly.score],
  ]
}

export function anomalyOf(row: Row): Anomaly {
  return {
    tenant: row.tenant as string,
    device: row.device as string,
    metric: row.metric as string,
    timeUs: row.time_us as number,
    detector: row.detector as string,
    severity: row.severity as Severity,
    value: row.value as number,
    average: row.average as number,
    deviationPct: (row.deviation_pct as number | null) ?? undefined,
    score: row.score as number,
  }
}
