import type { Product } from '../../model/product.ts'
import type { Catalog, CatalogChanges } from '../../ports/catalog.ts'
import { WeirError } from '../../ports/errors.ts'
import { productOf, productParameters } from '../rows.ts'
import type { Connection } from './connection.ts'
import { takeVersions } from './feed.ts'

type ProductCatalog = Pick<
  Catalog,
  'products' | 'createProduct' | 'replaceProduct' | 'deleteProduct'
>

const DURABLE = { isDurable: true }

/** The products of the catalog. */
export class SqliteProducts implements ProductCatalog {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async products(): Promise<Product[]> {
    return this.#connection.all(PRODUCTS).map(productOf)
  }

  async createProduct(product: Product): Promise<void> {
    if (this.#write(CREATE, product) > 0) return
    throw new WeirError('conflict', `product ${JSON.stringify(product.id)} exists already`)
  }

  async replaceProduct(product: Product, since = Number.MAX_SAFE_INTEGER): Promise<void> {
    if (this.#write(REPLACE, product, since) > 0) return
    const { tenant, id } = product
    const name = JSON.stringify(id)
    if (this.#connection.get(EXISTS, tenant, id) !== undefined) {
      throw new WeirError('conflict', `product ${name} was changed meanwhile`)
    }
    throw new WeirError('not_found', `there is no product ${name}`)
  }

  async deleteProduct(tenant: string, id: string): Promise<boolean> {
    return this.#connection.transact(DURABLE, () => {
      if (this.#connection.run(DELETE, tenant, id) === 0) return false
      const version = takeVersions(this.#connection, 'registry', 1)
      this.#connection.run(NOTE, tenant, id, version)
      this.#connection.run(FORGET, version)
      return true
    })
  }

  changedBetween(
    after: number,
    until: number,
  ): Pick<CatalogChanges, 'products' | 'removedProducts'> {
    const removed = this.#connection.all(REMOVED, after, until)
    return {
      products: this.#connection.all(CHANGED, after, until).map(productOf),
      removedProducts: removed.map(({ tenant, id }) => {
        return { tenant: tenant as string, id: id as string }
      }),
    }
  }

  #write(sql: string, product: Product, ...more: number[]): number {
    return this.#connection.transact(DURABLE, () => {
      const version = takeVersions(this.#connection, 'registry', 1)
      return this.#connection.run(sql, ...productParameters(product), version, ...more)
    })
  }
}

const PRODUCTS = `SELECT * FROM product ORDER BY tenant, id`
const EXISTS = `SELECT 1 FROM product WHERE tenant = ? AND id = ?`
const CREATE = `INSERT INTO product
  (tenant, id, name, price, attributes, expected_interval_ms, created_at_ms, metrics, on_violation,
    version)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
const REPLACE = `UPDATE product SET name = ?3, price = ?4, attributes = ?5,
  expected_interval_ms = ?6, created_at_ms = ?7, metrics = ?8, on_violation = ?9, version = ?10
  WHERE tenant = ?1 AND id = ?2 AND version <= ?11`
const DELETE = `DELETE FROM product WHERE tenant = ? AND id = ?`
const NOTE = `INSERT OR REPLACE INTO product_removal (tenant, id, version) VALUES (?, ?, ?)`
/** So many changes back, nobody asks any more. */
const FORGET = `DELETE FROM product_removal WHERE version < ? - 1000000`
const CHANGED = `SELECT * FROM product WHERE version > ? AND version <= ? ORDER BY tenant, id`
const REMOVED = `SELECT tenant, id FROM product_removal WHERE version > ? AND version <= ?`
