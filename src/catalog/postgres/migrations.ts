import type { Migration } from '../../postgres/migrate.ts'

/**
 * The schema, one step a version. A step that has been released is never changed: append another.
 *
 * JSON is text: `jsonb` refuses NUL and lone surrogates, and changes numbers. Names are compared by
 * their bytes. `device` leaves room in its pages, so that last contacts change no index.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'devices, products, keys, units, anomalies',
    up: `
      CREATE TABLE feed (
        stream text PRIMARY KEY,
        version bigint NOT NULL
      ) WITH (fillfactor = 10);
      INSERT INTO feed VALUES ('registry', 1), ('units', 1), ('keys', 0), ('contacts', 0);

      CREATE TABLE device (
        tenant text COLLATE "C",
        id text COLLATE "C",
        uuid text NOT NULL,
        name text,
        type text,
        product text,
        site text,
        attributes text NOT NULL,
        expected_interval_ms float8,
        created_at_ms float8 NOT NULL,
        last_seen_ms float8,
        version bigint NOT NULL,
        PRIMARY KEY (tenant, id)
      ) WITH (fillfactor = 80);
      CREATE INDEX device_version ON device (version);
      CREATE TABLE removal (
        tenant text COLLATE "C",
        id text COLLATE "C",
        removed_at_ms float8 NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (tenant, id)
      );
      CREATE INDEX removal_version ON removal (version);
      CREATE TABLE product (
        tenant text COLLATE "C",
        id text COLLATE "C",
        name text NOT NULL,
        price float8,
        attributes text NOT NULL,
        expected_interval_ms float8,
        created_at_ms float8 NOT NULL,
        metrics text NOT NULL,
        on_violation text NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (tenant, id)
      );
      CREATE INDEX product_version ON product (version);
      CREATE TABLE product_removal (
        tenant text COLLATE "C",
        id text COLLATE "C",
        version bigint NOT NULL,
        PRIMARY KEY (tenant, id)
      );
      CREATE INDEX product_removal_version ON product_removal (version);

      CREATE UNLOGGED TABLE contact (
        version bigint PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        process text NOT NULL,
        told text NOT NULL
      );
      ALTER TABLE contact ALTER told SET STORAGE EXTERNAL;

      CREATE TABLE key (
        id text COLLATE "C" PRIMARY KEY,
        tenant text NOT NULL,
        hash text NOT NULL,
        name text,
        scopes text NOT NULL,
        device text,
        limits text NOT NULL,
        created_at_ms float8 NOT NULL,
        expires_at_ms float8,
        revoked_at_ms float8,
        last_used_ms float8,
        version bigint NOT NULL
      ) WITH (fillfactor = 80);
      CREATE INDEX key_version ON key (version);

      CREATE TABLE metric_unit (
        tenant text COLLATE "C",
        device text COLLATE "C",
        metric text COLLATE "C",
        unit text NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (tenant, device, metric)
      );
      CREATE INDEX metric_unit_version ON metric_unit (version);

      CREATE TABLE anomaly (
        tenant text COLLATE "C",
        device text COLLATE "C",
        metric text COLLATE "C",
        time_us bigint,
        detector text COLLATE "C",
        severity text NOT NULL,
        value float8 NOT NULL,
        average float8 NOT NULL,
        deviation_pct float8,
        score float8 NOT NULL,
        PRIMARY KEY (tenant, device, metric, time_us, detector)
      );
      CREATE INDEX anomaly_by_time ON anomaly (tenant, time_us);
      CREATE INDEX anomaly_by_device ON anomaly (tenant, device, time_us);

      CREATE TABLE ledger_page (
        process text COLLATE "C" PRIMARY KEY,
        state text NOT NULL,
        written_at timestamptz NOT NULL,
        tenants text NOT NULL
      );`,
  },
  {
    name: 'for how long keys were issued',
    up: `
      ALTER TABLE key ADD lifetime_ms float8;
      UPDATE key SET lifetime_ms = expires_at_ms - created_at_ms;`,
  },
]
