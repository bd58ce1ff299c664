import { StatementType, type DuckDBPreparedStatement } from '@duckdb/node-api';
import { GranaryError, messageOf } from '../../../definitions/errors.js';
import type { FileRelation } from '../provider.js';
import { badFilter } from '../shape.js';
import type { Connection } from './connection.js';

/**
 * The rows of a SELECT for which the relation's `where` holds.
 * @throws GranaryError `QueryFailed` for what is no condition over its columns, `SchemaMismatch` for one that is not true or false.
 */
export async function filtered(c: Connection, relation: FileRelation, select: string): Promise<string> {
  const { where = '' } = relation;
  // A comment at the condition's end must not swallow the parenthesis.
  const sql = `SELECT * FROM (${select}) AS "rows" WHERE (${where}\n)`;
  await prepare(c, relation, sql);
  const value = await prepare(c, relation, `SELECT (${where}\n) FROM (${select}) AS "rows"`);
  const type = value.columnType(0).toString();
  if (type !== 'BOOLEAN')
    throw badFilter(c.subject, relation, {
      code: 'SchemaMismatch',
      words: `It is of type ${type}, not BOOLEAN.`,
    });
  return sql;
}

async function prepare(c: Connection, relation: FileRelation, sql: string): Promise<DuckDBPreparedStatement> {
  return await c.guard(async () => {
    try {
      const statements = await c.raw.extractStatements(sql);
      const prepared = statements.count === 1 ? await statements.prepare(0) : undefined;
      if (prepared?.statementType !== StatementType.SELECT)
        throw new GranaryError('QueryFailed', 'It is more than one statement.');
      return prepared;
    } catch (error) {
      const words = messageOf(error).trim();
      throw badFilter(c.subject, relation, { code: 'QueryFailed', words, cause: error });
    }
  });
}
