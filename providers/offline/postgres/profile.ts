import type { Profile } from '../../../definitions/profile.js';
import { quoteName } from '../../../definitions/sql.js';
import { PROFILE_SAMPLE, profileRows } from '../profile-rows.js';
import type { StagedShape } from '../table-provider.js';
import { byBytes } from './column-types.js';
import type { Connection } from './connection.js';
import { microsSql } from './sql-text.js';
import { HIDDEN } from './system-tables.js';

/** Profiles a staged table, in the transaction under way. */
export async function profileTable(
  c: Connection,
  table: { readonly sql: string; readonly hasOrder: boolean },
  { schema, keys }: StagedShape,
  most = PROFILE_SAMPLE,
): Promise<Profile> {
  return await profileRows(
    {
      rows: (sql) => c.rows(sql),
      // A scan reads whole rows; sorts spill.
      quantilesAtOnce: 8,
      micros: microsSql,
      byBytes: (value) => byBytes(value, 'string'),
      sample: async (k) => {
        const names = Object.keys(schema);
        // The order of the files that DuckDB writes.
        const order = [...keys, ...names].map(
          (name) => `${byBytes(quoteName(name), schema[name] ?? 'bytes')} NULLS FIRST`,
        );
        const place = table.hasOrder ? HIDDEN.row : `row_number() OVER (ORDER BY ${order.join(', ')})`;
        const columns = names.map(quoteName).join(', ');
        await c.run(
          `CREATE TEMP TABLE __sample ON COMMIT DROP AS SELECT ${columns} FROM (SELECT ${columns}, ${place} AS __place FROM ${table.sql}) t WHERE (__place - 1) % ${k} = 0`,
        );
        return '__sample';
      },
    },
    table.sql,
    schema,
    most,
  );
}
