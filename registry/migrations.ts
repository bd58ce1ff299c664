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
    id: 4,
    sql: 'ALTER TABLE {schema}.datasets ADD COLUMN rows_table jsonb;',
  },
];
