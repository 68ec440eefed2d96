import type { MetricDeclaration, Product } from '../model/product.ts'
import type { ValueRules } from '../model/value-rules.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { CatalogTurn } from './catalog-turn.ts'
import { newProductFields, patchedProductFields } from './product-input.ts'
import type { ProductInput, ProductPatch } from './product-input.ts'

export interface ProductsOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly rules: ValueRules
  readonly maxProducts: number
  /** Runs `work` when nothing else writes to the catalog, with the version for its writes. */
  readonly turn: CatalogTurn
  /** A product has come, changed or gone; called before the promise of that resolves. */
  readonly onChange: (tenant: string, id: string) => void
}

interface Declared {
  readonly product: Product
  /** The places of its rules in `ValueRules`, by metric. */
  readonly places: ReadonlyMap<string, number>
}

/**
 * The products of all tenants, in memory: read from the catalog once, and in it before the promise
 * of a change resolves. What a product declares holds for values that come after that.
 *
 * A device names its product by id, which need not exist: devices are often there first, and
 * a product that is removed leaves them as they are, only unchecked and without units.
 */
export class Products {
  readonly #options: ProductsOptions
  readonly #tenants = new Map<string, Map<string, Declared>>()
  #count = 0

  constructor(options: ProductsOptions) {
    this.#options = options
  }

  /** What the catalog holds, at start. */
  load(products: readonly Product[]): void {
    for (const product of products) this.#put(product)
  }

  get(tenant: string, id: string): Product | undefined {
    return this.#tenants.get(tenant)?.get(id)?.product
  }

  /** In order of id. */
  list(tenant: string): Product[] {
    const products = [...(this.#tenants.get(tenant)?.values() ?? [])].map(({ product }) => product)
    return products.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** What the product says of a metric; undefined when it says nothing. */
  declaration(tenant: string, id: string, metric: string): MetricDeclaration | undefined {
    const metrics = this.get(tenant, id)?.metrics
    return metrics !== undefined && Object.hasOwn(metrics, metric) ? metrics[metric] : undefined
  }

  /** The place of a metric's rule in `ValueRules`; -1 when there is none. */
  rulePlace(tenant: string, id: string, metric: string): number {
    return this.#tenants.get(tenant)?.get(id)?.places.get(metric) ?? -1
  }

  /**
   * @throws WeirError `rejected` (the message names the field), `conflict` when it exists,
   *   `overloaded` when `maxProducts` is reached, and what the catalog throws.
   */
  create(tenant: string, input: ProductInput): Promise<Product> {
    const { catalog, clock, maxProducts, turn } = this.#options
    return turn(async () => {
      const product = { tenant, ...newProductFields(input), createdAtMs: clock.nowMs() }
      if (this.get(tenant, product.id) === undefined && this.#count >= maxProducts) {
        throw new WeirError('overloaded', `there are ${maxProducts} products, the most allowed`, {
          limit: 'devices.maxProducts',
        })
      }
      await catalog.createProduct(product)
      this.#put(product)
      return product
    })
  }

  /** @throws WeirError `rejected` (the message names the field), `not_found`, the catalog's. */
  update(tenant: string, id: string, patch: ProductPatch): Promise<Product> {
    return this.#change(tenant, id, product => patchedProductFields(product, patch))
  }

  /** The whole product anew; errors as of `update`. */
  replace(tenant: string, input: ProductInput): Promise<Product> {
    return this.#change(tenant, input.id, () => newProductFields(input))
  }

  /** Resolves to whether there was one. Devices of it stay, and keep its id. */
  remove(tenant: string, id: string): Promise<boolean> {
    return this.#options.turn(async () => {
      if (this.get(tenant, id) === undefined) return false
      await this.#options.catalog.deleteProduct(tenant, id)
      this.unlearn(tenant, id)
      return true
    })
  }

  /** The catalog has it so, by whichever process. */
  learn(product: Product): void {
    this.#put(product)
  }

  /** The catalog has it no more, by whichever process. */
  unlearn(tenant: string, id: string): void {
    const declared = this.#tenants.get(tenant)?.get(id)
    if (declared === undefined) return
    this.#tenants.get(tenant)?.delete(id)
    this.#count--
    this.#drop(declared)
    this.#options.onChange(tenant, id)
  }

  #change(
    tenant: string,
    id: string,
    fieldsOf: (product: Product) => ReturnType<typeof newProductFields>,
  ): Promise<Product> {
    return this.#options.turn(async since => {
      const before = this.get(tenant, id)
      if (before === undefined) {
        throw new WeirError('not_found', `there is no product ${JSON.stringify(id)}`)
      }
      const { createdAtMs } = before
      const product = { tenant, ...fieldsOf(before), createdAtMs }
      await this.#options.catalog.replaceProduct(product, since)
      this.#put(product)
      return product
    })
  }

  #put(product: Product): void {
    const { tenant, id } = product
    let products = this.#tenants.get(tenant)
    if (products === undefined) this.#tenants.set(tenant, (products = new Map()))
    const before = products.get(id)
    if (before === undefined) this.#count++
    else this.#drop(before)
    products.set(id, { product, places: this.#addRules(product) })
    this.#options.onChange(tenant, id)
  }

  #drop({ places }: Declared): void {
    for (const place of places.values()) this.#options.rules.remove(place)
  }

  #addRules(product: Product): Map<string, number> {
    const places = new Map<string, number>()
    const { tenant, id } = product
    for (const [metric, declared] of Object.entries(product.metrics)) {
      const { unit, type, min = -Infinity, max = Infinity } = declared
      const isBounded = declared.min !== undefined || declared.max !== undefined
      // A metric that has but a unit may have any value.
      if (type === undefined && !isBounded) continue
      const refuse = (declared.onViolation ?? product.onViolation) === 'refuse'
      const rule = { tenant, product: id, unit, type: type ?? 'number', min, max, refuse } as const
      places.set(metric, this.#options.rules.add(rule))
    }
    return places
  }
}
