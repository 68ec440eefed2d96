import assert from 'node:assert/strict'
import type { Device } from '../model/device.ts'
import type { Product } from '../model/product.ts'
import type { Catalog } from '../ports/catalog.ts'

export function aDevice(fields: Partial<Device> = {}): Device {
  return {
    tenant: 'default',
    id: 'pump-1',
    uuid: '3f0c7a52-8b1d-4c61-9f0e-2f1f5a3f9d10',
    name: undefined,
    type: undefined,
    product: undefined,
    site: undefined,
    attributes: {},
    expectedIntervalMs: undefined,
    createdAtMs: 1_767_225_600_000,
    lastSeenMs: undefined,
    ...fields,
  }
}

export function aProduct(fields: Partial<Product> = {}): Product {
  return {
    tenant: 'default',
    id: 'p-100',
    name: 'Pump 100',
    price: undefined,
    attributes: {},
    expectedIntervalMs: undefined,
    metrics: {},
    onViolation: 'flag',
    createdAtMs: 1_767_225_600_000,
    ...fields,
  }
}

export async function devicesOf(catalog: Catalog): Promise<Map<string, Device>> {
  const all = new Map<string, Device>()
  for await (const chunk of catalog.devices()) {
    for (const device of chunk) {
      const key = `${device.tenant} ${device.id}`
      assert.ok(!all.has(key), `${key} came twice`)
      all.set(key, device)
    }
  }
  return all
}
