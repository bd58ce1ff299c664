import { hasText } from '../../../feast/value-text.js';
import type { OnlineView } from '../provider.js';
import { fencesTable, literal, viewTables } from './names.js';

/**
 * Writes the rows that are newer, each with all its features. Parameters: the promotion, arrays of keys (each once, locked before by
 * `lock`), event times, created times, generations, then for each feature an array of values and, where Feast keeps one, of texts.
 * Resolves to the counts `known` (orders that were there), `newer`, `unchanged`, `written`, and `later`: feature rows that were not replaced
 * because they are later by now.
 *
 * The transaction stands only if `known` are as many as were locked, `written` as many as are newer, and none is `later`: else another
 * loader made an entity, or a Feast writer came, between the lock and this statement's end. A row that is newer by its times has at least the
 * event time of whatever it replaces; a promotion overwrites. An entity without feature rows gets them by a plain insert, which is half the
 * work: where somebody else was quicker it fails (23505).
 */
export function writeStatement(schema: string, view: OnlineView, withNumbers: boolean): string {
  const { features, orders } = viewTables(schema, view);
  const inputs: string[] = [];
  const rows: string[] = [];
  view.features.forEach(({ name, type }, i) => {
    const text = hasText(type) ? `j.t${i}` : 'NULL';
    const number = type === 'bool' ? `(j.t${i}::bool)::int4::float8` : `${text}::float8`;
    inputs.push(`v${i}`);
    if (hasText(type)) inputs.push(`t${i}`);
    const numbers = withNumbers ? [hasText(type) && type !== 'string' ? number : 'NULL::float8'] : [];
    rows.push(`(${[`${literal(name)}::text`, `j.v${i}`, `${text}::text`, ...numbers].join(', ')})`);
  });
  const arrays = inputs.map((name, i) => `$${i + 6}::${name.startsWith('v') ? 'bytea' : 'text'}[]`);
  const numberColumn = withNumbers ? ['value_num'] : [];
  const columns = ['feature_name', 'value', 'value_text', ...numberColumn];
  const set = ['value', 'value_text', ...numberColumn, 'vector_value', 'event_ts', 'created_ts'];
  const insert = (
    rowsOf: string,
  ): string => `INSERT INTO ${features} AS stored (entity_key, ${columns.join(', ')}, event_ts, created_ts)
  SELECT j.entity_key, f.*, j.event_ts, j.created_ts FROM judged j JOIN won USING (entity_key)
  CROSS JOIN LATERAL (VALUES ${rows.join(', ')}) AS f
  WHERE ${rowsOf}`;
  const update = `ON CONFLICT (entity_key, feature_name) DO UPDATE SET ${set.map((column) => `${column} = excluded.${column}`).join(', ')}`;
  const retired = (view.retired ?? []).map(literal);
  return `WITH judged AS MATERIALIZED (
  SELECT i.*, o.entity_key IS NOT NULL AS known, coalesce(o.promotion < $1::int8, false) AS overwrites, f.rows = 0 AS fresh, CASE
    WHEN $1::int8 < coalesce((SELECT promotion FROM ${fencesTable(schema)} WHERE project = ${literal(view.project)} AND view = ${literal(view.name)}), 0) THEN -1
    WHEN f.event_ts IS NULL AND o.removed IS NOT TRUE THEN 1
    WHEN f.event_ts IS NULL OR (f.event_ts = o.event_ts AND NOT o.removed) THEN CASE
      WHEN ($1::int8, i.event_ts, coalesce(i.created_ts, 'epoch'), i.generation) > (o.promotion, o.event_ts, coalesce(o.created_ts, 'epoch'), o.generation) THEN 1
      WHEN ($1::int8, i.event_ts, coalesce(i.created_ts, 'epoch'), i.generation) = (o.promotion, o.event_ts, coalesce(o.created_ts, 'epoch'), o.generation) AND NOT o.removed THEN 0
      ELSE -1 END
    WHEN $1::int8 <> o.promotion THEN sign($1::int8 - o.promotion)
    WHEN i.event_ts > f.event_ts THEN 1
    WHEN i.event_ts = f.event_ts THEN 0
    ELSE -1 END AS verdict
  FROM unnest(${['$2::bytea[], $3::timestamptz[], $4::timestamptz[], $5::int8[]', ...arrays].join(', ')})
    AS i (${['entity_key', 'event_ts', 'created_ts', 'generation', ...inputs].join(', ')})
  LEFT JOIN ${orders} AS o USING (entity_key)
  LEFT JOIN LATERAL (SELECT max(event_ts) AS event_ts, count(*) AS rows FROM ${features} AS f WHERE f.entity_key = i.entity_key) AS f ON true
), replaced AS (
  UPDATE ${orders} AS o SET promotion = $1, event_ts = j.event_ts, created_ts = j.created_ts, generation = j.generation, removed = false
  FROM judged j WHERE o.entity_key = j.entity_key AND j.known AND j.verdict > 0 RETURNING o.entity_key
), made AS (
  INSERT INTO ${orders} (entity_key, promotion, event_ts, created_ts, generation)
  SELECT entity_key, $1, event_ts, created_ts, generation FROM judged WHERE NOT known AND verdict > 0 ORDER BY entity_key
  ON CONFLICT DO NOTHING RETURNING entity_key
), won AS (
  SELECT entity_key FROM replaced UNION ALL SELECT entity_key FROM made
), ${
    retired.length === 0
      ? ''
      : `retired AS (
  DELETE FROM ${features} AS f USING won WHERE f.entity_key = won.entity_key AND f.feature_name IN (${retired.join(', ')})
), `
  }fresh AS (
  ${insert('j.fresh')}
), put AS (
  ${insert('NOT j.fresh AND NOT j.overwrites')}
  ${update} WHERE (stored.event_ts > excluded.event_ts) IS NOT TRUE RETURNING 1
), overwritten AS (
  ${insert('NOT j.fresh AND j.overwrites')}
  ${update}
)
SELECT (count(*) FILTER (WHERE known))::int4 AS known, (count(*) FILTER (WHERE verdict > 0))::int4 AS newer,
  (count(*) FILTER (WHERE verdict = 0))::int4 AS unchanged, (SELECT count(*)::int4 FROM won) AS written,
  (count(*) FILTER (WHERE verdict > 0 AND NOT fresh AND NOT overwrites))::int4 * ${view.features.length} - (SELECT count(*)::int4 FROM put) AS later FROM judged`;
}
