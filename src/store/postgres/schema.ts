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
  {
    name: 'rollups',
    up: `
      -- 'kept': every hour of it is in rollups. 'sparse': that would not be worth it. NULL: nobody has looked yet.
      ALTER TABLE partitions ADD rollup text;
      -- Numbers only; partitioned as the points are. Without a sum where it might not fit.
      CREATE TABLE rollups (
        series_id bigint NOT NULL,
        hour timestamptz NOT NULL,
        count bigint NOT NULL,
        sum float8,
        min float8,
        max float8,
        first float8,
        last float8,
        PRIMARY KEY (series_id, hour)
      ) PARTITION BY RANGE (hour);
      -- Hours that have got points since: to be read from the points.
      CREATE TABLE rollup_gaps (
        series_id bigint,
        hour timestamptz,
        PRIMARY KEY (series_id, hour)
      );
      CREATE INDEX ON rollup_gaps (hour);
      -- A gap that is there is locked, so that it is not filled before this transaction ends.
      CREATE FUNCTION note_rollup_gap() RETURNS trigger LANGUAGE plpgsql
      SET search_path FROM CURRENT AS $$
      BEGIN
        IF TG_OP <> 'DELETE' THEN
          INSERT INTO rollup_gaps AS g
          VALUES (NEW.series_id, date_bin('1 hour', NEW.time, '1970-01-01T00:00:00Z'))
          ON CONFLICT (series_id, hour) DO UPDATE SET hour = g.hour WHERE false;
        END IF;
        IF TG_OP <> 'INSERT' THEN
          INSERT INTO rollup_gaps AS g
          VALUES (OLD.series_id, date_bin('1 hour', OLD.time, '1970-01-01T00:00:00Z'))
          ON CONFLICT (series_id, hour) DO UPDATE SET hour = g.hour WHERE false;
        END IF;
        RETURN NULL;
      END $$;
    `,
  },
]
