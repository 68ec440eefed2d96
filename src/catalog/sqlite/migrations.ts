import type { DatabaseSync } from 'node:sqlite'
import { WeirError } from '../../ports/errors.ts'

/**
 * The schema, one step a version. A step that has been released is never changed: append another.
 * Step n takes a database from version n (`PRAGMA user_version`) to n + 1.
 */
const STEPS: readonly string[] = [
  `CREATE TABLE device (
     tenant TEXT NOT NULL,
     id TEXT NOT NULL,
     uuid TEXT NOT NULL,
     name TEXT,
     type TEXT,
     product TEXT,
     site TEXT,
     attributes TEXT NOT NULL,
     expected_interval_ms REAL,
     created_at_ms REAL NOT NULL,
     last_seen_ms REAL,
     PRIMARY KEY (tenant, id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE product (
     tenant TEXT NOT NULL,
     id TEXT NOT NULL,
     name TEXT NOT NULL,
     price REAL,
     attributes TEXT NOT NULL,
     expected_interval_ms REAL,
     created_at_ms REAL NOT NULL,
     PRIMARY KEY (tenant, id)
   ) STRICT, WITHOUT ROWID;`,
  `ALTER TABLE product ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}';
   ALTER TABLE product ADD COLUMN on_violation TEXT NOT NULL DEFAULT 'flag';
   CREATE TABLE removal (
     tenant TEXT NOT NULL,
     id TEXT NOT NULL,
     removed_at_ms REAL NOT NULL,
     PRIMARY KEY (tenant, id)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE anomaly (
     tenant TEXT NOT NULL,
     device TEXT NOT NULL,
     metric TEXT NOT NULL,
     time_us INTEGER NOT NULL,
     detector TEXT NOT NULL,
     severity TEXT NOT NULL,
     value REAL NOT NULL,
     average REAL NOT NULL,
     deviation_pct REAL,
     score REAL NOT NULL,
     PRIMARY KEY (tenant, device, metric, time_us, detector)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX anomaly_by_time ON anomaly (tenant, time_us);
   CREATE INDEX anomaly_by_device ON anomaly (tenant, device, time_us);
   CREATE TABLE metric_unit (
     tenant TEXT NOT NULL,
     device TEXT NOT NULL,
     metric TEXT NOT NULL,
     unit TEXT NOT NULL,
     PRIMARY KEY (tenant, device, metric)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE key (
     id TEXT NOT NULL PRIMARY KEY,
     tenant TEXT NOT NULL,
     hash TEXT NOT NULL,
     name TEXT,
     scopes TEXT NOT NULL,
     device TEXT,
     limits TEXT NOT NULL,
     created_at_ms REAL NOT NULL,
     expires_at_ms REAL,
     revoked_at_ms REAL,
     last_used_ms REAL,
     version INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX key_version ON key (version);`,
  `CREATE TABLE ledger_page (
     process TEXT NOT NULL PRIMARY KEY,
     state TEXT NOT NULL,
     written_at_ms REAL NOT NULL,
     tenants TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // What is there at the step has the first version, so that `since 0` has all of it. Without indexes:
  // there is one process, which asks for changes in tests only, and each would cost every write.
  `CREATE TABLE feed (
     stream TEXT NOT NULL PRIMARY KEY,
     version INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   INSERT INTO feed VALUES ('registry', 1), ('units', 1);
   ALTER TABLE device ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
   ALTER TABLE removal ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
   ALTER TABLE product ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
   ALTER TABLE metric_unit ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
   CREATE TABLE product_removal (
     tenant TEXT NOT NULL,
     id TEXT NOT NULL,
     version INTEGER NOT NULL,
     PRIMARY KEY (tenant, id)
   ) STRICT, WITHOUT ROWID;`,
  `ALTER TABLE key ADD COLUMN lifetime_ms REAL;
   UPDATE key SET lifetime_ms = expires_at_ms - created_at_ms;`,
]

/** What this Weir reads and writes. */
export const SCHEMA_VERSION = STEPS.length

/** "Weir" in the file's header (`PRAGMA application_id`), so that no other database is taken for ours. */
export const APPLICATION_ID = 0x57656972

/**
 * Brings the database to `SCHEMA_VERSION`, all steps in one transaction. The write lock is taken
 * before the version is read, so of two processes that start at once one migrates and the other
 * finds it done.
 *
 * @throws WeirError `config` when the file is from a newer Weir, or not from Weir at all.
 */
export function migrate(db: DatabaseSync, path: string): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    const version = pragma(db, 'user_version')
    if (pragma(db, 'application_id') !== APPLICATION_ID && !isEmpty(db)) {
      throw new WeirError('config', `${path} is a database, but not a catalog of Weir`)
    }
    if (version > SCHEMA_VERSION) {
      throw new WeirError(
        'config',
        `the catalog ${path} was written by a newer Weir (schema ${version}, this one knows up to ` +
          `${SCHEMA_VERSION}): start that version, or restore a backup from before the upgrade`,
      )
    }
    for (const step of STEPS.slice(version)) db.exec(step)
    if (version < SCHEMA_VERSION) {
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`)
    }
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name])
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
}
