import type { Product } from '../../model/product.ts'
import type { Catalog, CatalogChanges } from '../../ports/catalog.ts'
import { WeirError } from '../../ports/errors.ts'
import { productOf, productParameters } from '../rows.ts'
import type { CatalogDatabase } from './catalog-database.ts'

type ProductCatalog = Pick<
  Catalog,
  'products' | 'createProduct' | 'replaceProduct' | 'deleteProduct'
>

const ONE = { stream: 'registry', count: 1 } as const

/** The products of the catalog. */
export class PostgresProducts implements ProductCatalog {
  readonly #database: CatalogDatabase

  constructor(database: CatalogDatabase) {
    this.#database = database
  }

  async products(): Promise<Product[]> {
    return (await this.#database.rows(PRODUCTS)).map(productOf)
  }

  async createProduct(product: Product): Promise<void> {
    const created = await this.#database.change(ONE, (transaction, version) =>
      transaction.run(CREATE, ...productParameters(product), version),
    )
    if (created > 0) return
    throw new WeirError('conflict', `product ${JSON.stringify(product.id)} exists already`)
  }

  async replaceProduct(product: Product, since = Number.MAX_SAFE_INTEGER): Promise<void> {
    const { tenant, id } = product
    await this.#database.change(ONE, async (transaction, version) => {
      const parameters = [...productParameters(product), version, since]
      if ((await transaction.run(REPLACE, ...parameters)) > 0) return
      const name = JSON.stringify(id)
      if ((await transaction.rows(EXISTS, tenant, id)).length > 0) {
        throw new WeirError('conflict', `product ${name} was changed meanwhile`)
      }
      throw new WeirError('not_found', `there is no product ${name}`)
    })
  }

  deleteProduct(tenant: string, id: string): Promise<boolean> {
    return this.#database.change(ONE, async (transaction, version) => {
      if ((await transaction.run(DELETE, tenant, id)) === 0) return false
      await transaction.run(NOTE, tenant, id, version)
      await transaction.run(FORGET, version)
      return true
    })
  }

  async changedBetween(
    after: number,
    until: number,
  ): Promise<Pick<CatalogChanges, 'products' | 'removedProducts'>> {
    const removed = await this.#database.rows(REMOVED, after, until)
    const changed = await this.#database.rows(CHANGED, after, until)
    return {
      products: changed.map(productOf),
      removedProducts: removed.map(({ tenant, id }) => {
        return { tenant: tenant as string, id: id as string }
      }),
    }
  }
}

const PRODUCTS = `SELECT * FROM product ORDER BY tenant, id`
const EXISTS = `SELECT 1 FROM product WHERE tenant = $1 AND id = $2`
const CREATE = `INSERT INTO product
  (tenant, id, name, price, attributes, expected_interval_ms, created_at_ms, metrics, on_violation,
    version)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`
const REPLACE = `UPDATE product SET name = $3, price = $4, attributes = $5,
  expected_interval_ms = $6, created_at_ms = $7, metrics = $8, on_violation = $9, version = $10
  WHERE tenant = $1 AND id = $2 AND version <= $11`
const DELETE = `DELETE FROM product WHERE tenant = $1 AND id = $2`
const NOTE = `INSERT INTO product_removal (tenant, id, version) VALUES ($1, $2, $3)
  ON CONFLICT (tenant, id) DO UPDATE SET version = excluded.version`
/** So many changes back, nobody asks any more. */
const FORGET = `DELETE FROM product_removal WHERE version < $1 - 1000000`
const CHANGED = `SELECT * FROM product WHERE version > $1 AND version <= $2`
const REMOVED = `SELECT tenant, id FROM product_removal WHERE version > $1 AND version <= $2`
