/**
 * The registry's tables, forward only. A migration that has landed never changes; `{schema}` is the quoted schema. Each
 * runs in one transaction with its row in `migrations`.
 */
export const MIGRATIONS: readonly { readonly id: number; readonly sql: string }[] = [
  {
    id: 1,
    sql: `
CREATE TABLE {schema}.resources (
  id text PRIMARY KEY, kind text NOT NULL, name text NOT NULL, variant text NOT NULL, fingerprint text NOT NULL,
  spec jsonb NOT NULL, about jsonb NOT NULL, timeout text, is_default boolean NOT NULL, location text NOT NULL,
  promotion integer NOT NULL DEFAULT 1, status text NOT NULL DEFAULT 'PENDING', error text, created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (kind, name, variant), UNIQUE (kind, location));
CREATE UNIQUE INDEX resources_default ON {schema}.resources (kind, name) WHERE is_default;
CREATE TABLE {schema}.pipelines (name text PRIMARY KEY, spec jsonb NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE {schema}.runs (
  run_id text PRIMARY KEY, workflow_id text NOT NULL, type text NOT NULL, pipeline text,
  interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL, status text NOT NULL, plan jsonb NOT NULL, retries jsonb NOT NULL,
  error text, started_at timestamptz NOT NULL DEFAULT now(), ended_at timestamptz);
CREATE INDEX runs_open ON {schema}.runs (started_at) WHERE ended_at IS NULL;
CREATE TABLE {schema}.steps (
  run_id text NOT NULL REFERENCES {schema}.runs ON DELETE CASCADE, step_id text NOT NULL, status text NOT NULL,
  inputs jsonb, error text, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run_id, step_id));
CREATE TABLE {schema}.step_errors (
  run_id text NOT NULL REFERENCES {schema}.runs ON DELETE CASCADE, step_id text NOT NULL, activity text NOT NULL, errors integer NOT NULL,
  PRIMARY KEY (run_id, step_id, activity));
CREATE TABLE {schema}.ownership (
  target text NOT NULL, interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL,
  run_id text NOT NULL, workflow_id text NOT NULL, token bigint NOT NULL, PRIMARY KEY (target, interval_start, interval_end));
CREATE TABLE {schema}.refusals (
  id bigserial PRIMARY KEY, target text NOT NULL, interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL,
  run_id text NOT NULL, token bigint NOT NULL, reason text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE {schema}.version_names (target text NOT NULL, name text NOT NULL, run_id text NOT NULL, PRIMARY KEY (target, name), UNIQUE (target, run_id));
CREATE TABLE {schema}.datasets (
  id text PRIMARY KEY, target text NOT NULL, interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL,
  generation integer NOT NULL, version text NOT NULL, store text NOT NULL, folder text NOT NULL, files jsonb NOT NULL,
  rows bigint NOT NULL, event_min timestamptz, event_max timestamptz, fingerprint text NOT NULL, code_hash text, has_latest boolean NOT NULL,
  run_id text NOT NULL, token bigint NOT NULL, committed_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz,
  UNIQUE (target, interval_start, interval_end, generation), UNIQUE (target, interval_start, interval_end, run_id), UNIQUE (target, version));
CREATE INDEX datasets_unpublished ON {schema}.datasets (target) WHERE published_at IS NULL;
CREATE TABLE {schema}.dataset_inputs (
  dataset_id text NOT NULL REFERENCES {schema}.datasets ON DELETE CASCADE, position integer NOT NULL, source text NOT NULL,
  input_dataset_id text REFERENCES {schema}.datasets, detail jsonb NOT NULL, PRIMARY KEY (dataset_id, position));
CREATE TABLE {schema}.ledger (
  target text NOT NULL, interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL, generation integer NOT NULL,
  dataset_id text REFERENCES {schema}.datasets, run_id text NOT NULL, fingerprint text NOT NULL, inputs_hash text NOT NULL, store_id text,
  detail jsonb NOT NULL, committed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (target, interval_start, interval_end));
CREATE TABLE {schema}.online_stores (name text PRIMARY KEY, store_id text NOT NULL, noted_at timestamptz NOT NULL DEFAULT now());
`,
  },
  {
    id: 2,
    sql: `
CREATE TABLE {schema}.audit (
  id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), actor text NOT NULL, action text NOT NULL,
  target text NOT NULL, run_id text NOT NULL, detail jsonb NOT NULL);
CREATE INDEX audit_target ON {schema}.audit (target, id);
DROP TABLE {schema}.online_stores;
CREATE SEQUENCE {schema}.online_receipts;
ALTER TABLE {schema}.ledger ADD COLUMN receipt bigint;
`,
  },
  {
    id: 3,
    sql: `
CREATE TABLE {schema}.applies (
  id text PRIMARY KEY, run_id text UNIQUE, workflow_id text NOT NULL, actor text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  contract jsonb NOT NULL, plan jsonb, status text NOT NULL, error text, registered_at timestamptz, ended_at timestamptz);
CREATE INDEX applies_open ON {schema}.applies (at) WHERE ended_at IS NULL;
CREATE TABLE {schema}.apply_items (
  apply_id text NOT NULL REFERENCES {schema}.applies ON DELETE CASCADE, position integer NOT NULL, resource_id text NOT NULL,
  type text NOT NULL, name text NOT NULL, variant text NOT NULL, status text NOT NULL, error text, PRIMARY KEY (apply_id, position),
  UNIQUE (apply_id, resource_id));
CREATE INDEX runs_workflow ON {schema}.runs (workflow_id);
`,
  },
  {
    id: 4,
    sql: 'ALTER TABLE {schema}.datasets ADD COLUMN rows_table jsonb;',
  },
  {
    id: 5,
    // While a resource is being removed nothing may begin to use it, whoever writes it down (workers of earlier versions too): a row that names
    // its id, as the id of a step or within a definition, is refused. Writers share a lock that marking takes alone, so that each sees the other.
    sql: `
CREATE TABLE {schema}.models (
  name text NOT NULL, dataset_id text NOT NULL REFERENCES {schema}.datasets, target text NOT NULL,
  linked_by text NOT NULL, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, dataset_id));
CREATE INDEX models_dataset ON {schema}.models (dataset_id);
CREATE TABLE {schema}.removals (
  target text PRIMARY KEY, run_id text NOT NULL, workflow_id text NOT NULL, actor text NOT NULL, reason text,
  at timestamptz NOT NULL DEFAULT now());
CREATE INDEX steps_by_resource ON {schema}.steps (step_id);
CREATE INDEX dataset_inputs_of ON {schema}.dataset_inputs (input_dataset_id);
CREATE FUNCTION {schema}.refuse_what_is_removed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('granary:removals:' || TG_TABLE_SCHEMA, 0));
  SELECT r.target INTO found FROM {schema}.removals r
    WHERE position(to_json(r.target)::text in to_jsonb(NEW)::text) > 0 LIMIT 1;
  IF found IS NOT NULL THEN RAISE EXCEPTION '%', found USING ERRCODE = 'GR001'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER not_removed BEFORE INSERT ON {schema}.resources FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_what_is_removed();
CREATE TRIGGER not_removed BEFORE INSERT OR UPDATE ON {schema}.pipelines FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_what_is_removed();
CREATE TRIGGER not_removed BEFORE INSERT ON {schema}.models FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_what_is_removed();
CREATE TRIGGER not_removed BEFORE INSERT ON {schema}.steps FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_what_is_removed();
`,
  },
  {
    id: 6,
    sql: `
CREATE TABLE {schema}.promotions (
  kind text NOT NULL, name text NOT NULL, number integer NOT NULL, from_id text NOT NULL, to_id text NOT NULL, run_id text NOT NULL,
  actor text NOT NULL, reason text, at timestamptz NOT NULL DEFAULT now(), switched_at timestamptz, abandoned_at timestamptz,
  retired_at timestamptz, PRIMARY KEY (kind, name, number), UNIQUE (kind, name, run_id));
`,
  },
  {
    id: 7,
    // json, not jsonb: it keeps the order of keys, and a text may hold U+0000.
    sql: `
CREATE TABLE {schema}.step_facts (
  run_id text NOT NULL REFERENCES {schema}.runs ON DELETE CASCADE, step_id text NOT NULL, staged text NOT NULL,
  profile json NOT NULL, validation json NOT NULL, input_columns json NOT NULL, PRIMARY KEY (run_id, step_id, staged));
CREATE TABLE {schema}.dataset_facts (
  dataset_id text PRIMARY KEY REFERENCES {schema}.datasets ON DELETE CASCADE,
  profile json NOT NULL, validation json NOT NULL, input_columns json NOT NULL);
`,
  },
  {
    id: 8,
    sql: `
CREATE TABLE {schema}.refreshes (
  target text NOT NULL, number integer NOT NULL, run_id text NOT NULL, actor text NOT NULL, range_start timestamptz, range_end timestamptz,
  at timestamptz NOT NULL DEFAULT now(), retired_at timestamptz, collected_at timestamptz, PRIMARY KEY (target, number), UNIQUE (target, run_id));
`,
  },
  {
    id: 9,
    sql: `
ALTER TABLE {schema}.resources ADD COLUMN deadline jsonb;
CREATE TABLE {schema}.events (
  id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), kind text NOT NULL, pipeline text NOT NULL,
  interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL, step text NOT NULL, deadline timestamptz NOT NULL,
  run_id text, message text NOT NULL, UNIQUE (kind, pipeline, interval_start, interval_end, step));
CREATE INDEX events_run ON {schema}.events (run_id);
`,
  },
  {
    id: 10,
    sql: `
CREATE TABLE {schema}.backfills (
  id text PRIMARY KEY, workflow_id text NOT NULL, run_id text, actor text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  request jsonb NOT NULL, plan jsonb, status text NOT NULL, paused_by text, paused_at timestamptz, error text,
  ended_at timestamptz);
CREATE TABLE {schema}.backfill_intervals (
  backfill_id text NOT NULL REFERENCES {schema}.backfills ON DELETE CASCADE, position integer NOT NULL,
  interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL, run_id text, error text,
  PRIMARY KEY (backfill_id, position));
CREATE INDEX backfills_open ON {schema}.backfills (at) WHERE ended_at IS NULL;
CREATE INDEX runs_of_pipeline ON {schema}.runs (pipeline, ended_at DESC) WHERE status = 'COMPLETED';
`,
  },
  {
    id: 11,
    // What a run was asked for, how its steps went, and what they sent to engines: for people. Rows of before, and of older workers, have NULL.
    sql: `
ALTER TABLE {schema}.migrations ADD COLUMN version text;
ALTER TABLE {schema}.runs ADD COLUMN request jsonb;
ALTER TABLE {schema}.steps ADD COLUMN started_at timestamptz, ADD COLUMN ended_at timestamptz, ADD COLUMN result jsonb;
CREATE INDEX runs_started ON {schema}.runs (started_at DESC);
CREATE TABLE {schema}.step_logs (
  run_id text NOT NULL REFERENCES {schema}.runs ON DELETE CASCADE, step_id text NOT NULL, activity_id text NOT NULL, attempt integer NOT NULL,
  activity text NOT NULL, worker text NOT NULL, outcome text NOT NULL, error_code text, error text, statements json NOT NULL, omitted integer NOT NULL,
  started_at timestamptz NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run_id, step_id, activity_id, attempt));
CREATE INDEX step_logs_age ON {schema}.step_logs (updated_at);
`,
  },
  {
    id: 12,
    // When an interval was first valid outlives its rebuilds. Of what was rebuilt before, the versions tell; of loads nothing does.
    sql: `
ALTER TABLE {schema}.ledger ADD COLUMN first_committed_at timestamptz NOT NULL DEFAULT now();
UPDATE {schema}.ledger l SET first_committed_at = LEAST(l.committed_at, (SELECT min(d.committed_at) FROM {schema}.datasets d
  WHERE d.target = l.target AND d.interval_start = l.interval_start AND d.interval_end = l.interval_end));
`,
  },
];
