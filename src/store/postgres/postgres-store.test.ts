import { basename } from 'node:path'
import { after, describe } from 'node:test'
import { dropSchema, NO_POSTGRES, poolOptions } from '../../../test/fixtures/postgres.ts'
import { storeContract } from '../store.contract.ts'
import type { OpenStore } from '../store-subject.ts'
import { PostgresStore } from './postgres-store.ts'
import type { PostgresStoreOptions } from './postgres-store.ts'

const schemas = new Set<string>()

/** The schema is named after the folder, so that the same folder is the same store. */
function opened(options: Partial<PostgresStoreOptions>): OpenStore {
  return directory => {
    const schema = basename(directory).toLowerCase().replaceAll(/\W/g, '_')
    schemas.add(schema)
    return PostgresStore.open({ postgres: poolOptions(schema), ...options })
  }
}

describe('the store in PostgreSQL', { skip: NO_POSTGRES }, () => {
  after(async () => {
    for (const schema of schemas) await dropSchema(schema)
  })
  storeContract('merged writes', opened({ writes: 'merged' }))
  storeContract('single writes', opened({ writes: 'single', partitionMs: 43_200_000 }))
})
