/** Points of one tenant in a partition's file: those stored, and those that repeated a key. */
export type TenantRow = readonly [stored: number, duplicate: number]

/**
 * By tenant. Files of before there were keys have no rows: their points are in the totals alone.
 */
export type TenantCounts = ReadonlyMap<string, TenantRow>

export const noTenants: TenantCounts = new Map()

export function addCounts(a: TenantCounts, b: TenantCounts): TenantCounts {
  if (b.size === 0) return a
  const sum = new Map(a)
  for (const [tenant, [stored, duplicate]] of b) {
    const [before, repeated] = sum.get(tenant) ?? [0, 0]
    sum.set(tenant, [before + stored, repeated + duplicate])
  }
  return sum
}

/** As JSON; a tenant may be named like anything, so these are pairs and no object. */
export type TenantRows = readonly (readonly [tenant: string, ...TenantRow])[]

export function tenantRows(counts: TenantCounts): TenantRows {
  return Array.from(counts, ([tenant, [stored, duplicate]]) => [tenant, stored, duplicate] as const)
}

export function tenantCounts(rows: TenantRows | undefined): TenantCounts {
  return new Map(rows?.map(([tenant, stored, duplicate]) => [tenant, [stored, duplicate] as const]))
}
