import { GranaryError } from '../../../definitions/errors.js';
import type { TableProvider } from '../table-provider.js';
import { arrangeTables, dropTables } from './arrange.js';
import { tableColumns } from './catalogue.js';
import { suggestedType } from './column-types.js';
import { Connection, type Server } from './connection.js';
import { publishVersion } from './publish.js';
import { PostgresSession } from './session.js';
import { tableSql } from './sql-text.js';
import { ensureSchema, stagedTable, tableHolding } from './system-tables.js';

/**
 * Sources, SQL and joins in a Postgres 14 or newer. `url` is asked for at each connection: a password that was rotated is read again.
 * `schema` is Granary's own there.
 */
export function postgresOfflineProvider(options: {
  readonly url: () => string;
  readonly schema: string;
}): TableProvider {
  const { url, schema } = options;
  const server = (): Server => {
    const address = url();
    return { url: address, name: `postgres at ${publicAddress(address)}` };
  };
  /** A connection for a few short statements. */
  const using = async <T>(subject: string, work: (c: Connection) => Promise<T>): Promise<T> => {
    const c = await Connection.open(server(), new AbortController().signal, subject);
    try {
      return await work(c);
    } finally {
      await c.close();
    }
  };
  const isThere = async (c: Connection): Promise<boolean> =>
    (await c.row('SELECT to_regclass($1) IS NOT NULL', [stagedTable(schema)]))[0] === true;
  return {
    get description() {
      return server().name;
    },
    schema,
    check: () => using('The health check', (c) => c.run('SELECT 1')),
    open: ({ signal, timeoutMs = 0 }) =>
      PostgresSession.open({ server: server(), schema, signal, timeoutMs }),
    publish: (version, places) =>
      using(`Publishing ${version.target}`, async (c) => {
        await ensureSchema(c, schema);
        return await publishVersion(c, schema, version, places);
      }),
    arrange: (places) => using('Renaming tables', (c) => arrangeTables(c, schema, places)),
    drop: (target, isWanted) => using(`Dropping ${target}`, (c) => dropTables(c, schema, target, isWanted)),
    describe: (dataset) =>
      using('Reading columns', async (c) => {
        const table = (await isThere(c)) ? await tableHolding(c, schema, dataset) : undefined;
        const columns = table === undefined ? undefined : await tableColumns(c, { schema, table });
        if (table === undefined || !columns)
          throw new GranaryError(
            'SourceInvalid',
            `The version is not in the database (${schema}): another has taken its place since, or its table was dropped. Read the newest; if that is gone, run again with rebuild.`,
            { details: { dataset } },
          );
        const declared = columns.filter(({ name }) => !name.startsWith('__'));
        return {
          table,
          schema: Object.fromEntries(
            declared.map(({ name, family }) => [name, suggestedType(family) ?? 'string']),
          ),
        };
      }),
    stagedDetail: (table) =>
      using('Reading staged rows', async (c) => {
        const [detail] = await c.row(
          `SELECT detail::text FROM ${stagedTable(schema)} WHERE table_name = $1`,
          [table],
        );
        if (typeof detail !== 'string')
          throw new GranaryError(
            'SourceMissing',
            `The staged rows are gone from the database (${schema}.${table}). Run again.`,
          );
        return JSON.parse(detail) as unknown;
      }),
    stagedRuns: () =>
      using('Listing staged rows', async (c) =>
        (await isThere(c))
          ? (await c.rows(`SELECT DISTINCT run_id FROM ${stagedTable(schema)}`)).map(([run]) => String(run))
          : [],
      ),
    dropStaged: (run) =>
      using('Removing staged rows', async (c) => {
        const tables = await c.rows(`SELECT table_name FROM ${stagedTable(schema)} WHERE run_id = $1`, [run]);
        for (const [table] of tables) {
          await c.run(`DROP TABLE IF EXISTS ${tableSql({ schema, table: String(table) })}`);
          await c.rows(`DELETE FROM ${stagedTable(schema)} WHERE table_name = $1`, [table]);
        }
      }),
    uri: (table) => `${publicAddress(url())}#${schema}.${table}`,
    // Connections belong to sessions and calls, which end them.
    close: () => Promise.resolve(),
  };
}

/** The address without user and password. */
function publicAddress(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `postgres://${host}${pathname}`;
  } catch {
    throw new GranaryError(
      'ConfigurationMissing',
      'The address of the database is not a URL. Write postgres://user@host:5432/database, or give host, user and database.',
    );
  }
}
