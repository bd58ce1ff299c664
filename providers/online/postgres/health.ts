import type { ClientBase } from 'pg';
import { GranaryError } from '../../../definitions/errors.js';

/**
 * Checks that the user may make and fill tables in a schema, which may be absent still.
 * @throws GranaryError `ConfigurationMissing`.
 */
export async function checkPrivileges(client: ClientBase, schema: string, server: string): Promise<void> {
  const { rows } = await client.query<{ user: string; database: string; there: boolean; allowed: boolean }>(
    `SELECT current_user AS user, current_database() AS database, n.oid IS NOT NULL AS there,
       CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') END AS allowed
     FROM (SELECT $1::text AS name) asked LEFT JOIN pg_namespace n ON n.nspname = asked.name`,
    [schema],
  );
  const [row] = rows;
  if (row && !row.allowed)
    throw new GranaryError(
      'ConfigurationMissing',
      `${server}: a permission is missing: the user ${row.user} may not create ${row.there ? `tables in the schema ${schema}` : `a schema in the database ${row.database}`}. Run there: GRANT ${row.there ? `USAGE, CREATE ON SCHEMA "${schema}"` : `CREATE ON DATABASE "${row.database}"`} TO "${row.user}".`,
    );
}
