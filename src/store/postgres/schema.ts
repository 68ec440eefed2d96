import type { Migration } from '../../postgres/migrate.ts'

/**
 * The tables of the store. Times are `timestamptz`: microseconds in 8 bytes, as exact as an integer, and people and
 * TimescaleDB can read them. Names compare by their bytes. A point takes 48 bytes and 28 of the index.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'series, points, latest, positions, counters',
    up: `
      CREATE TABLE series (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant text COLLATE "C" NOT NULL,
        device text COLLATE "C" NOT NULL,
        metric text COLLATE "C" NOT NULL,
        UNIQUE (tenant, device, metric)
      );
      CREATE TABLE points (
        series_id bigint NOT NULL,
        time timestamptz NOT NULL,
        value float8,
        text text,
        PRIMARY KEY (series_id, time)
      ) PARTITION BY RANGE (time);
      CREATE TABLE partitions (
        start_time timestamptz PRIMARY KEY,
        end_time timestamptz NOT NULL,
        name text NOT NULL
      );
      -- The newest point of each series. Rows are updated in place as long as their page has room.
      CREATE TABLE latest (
        series_id bigint PRIMARY KEY,
        time timestamptz NOT NULL,
        value float8,
        text text
      ) WITH (fillfactor = 50);
      -- How far of each log is in the tables: moved in the transaction that stored the points.
      CREATE TABLE positions (
        log text COLLATE "C",
        partition int,
        next bigint NOT NULL,
        PRIMARY KEY (log, partition)
      ) WITH (fillfactor = 20);
      -- Points by tenant, counted in the transaction that wrote them; several rows a tenant, so
      -- that writers do not wait for each other.
      CREATE TABLE counters (
        tenant text COLLATE "C",
        slot int,
        stored bigint NOT NULL DEFAULT 0,
        duplicate bigint NOT NULL DEFAULT 0,
        dead bigint NOT NULL DEFAULT 0,
        series bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (tenant, slot)
      ) WITH (fillfactor = 20);
      CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL);
    `,
  },
]
