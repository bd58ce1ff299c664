import { StatementType } from '@duckdb/node-api';
import { GranaryError } from '../../../definitions/errors.js';
import type { Output, QueryRequest, WrittenTable } from '../provider.js';
import { convert, fitsOutput, suggestedType, misfit } from './column-types.js';
import type { Connection } from './connection.js';
import { writeOrdered } from './ordered-output.js';
import { relationSql } from './relation-sql.js';
import { checkRows } from '../rows-check.js';
import { quoteIdentifier } from './sql-text.js';
import { checkQueryColumns, unfit } from '../shape.js';

const RESULT = '__result';

/** Runs a query over files, checks its rows against the output's schema and writes them in order. */
export async function runQuery(c: Connection, request: QueryRequest): Promise<WrittenTable> {
  const { output, inputs, sql } = request;
  for (const [view, relation] of Object.entries(inputs))
    await c.run(`CREATE TEMP VIEW ${quoteIdentifier(view)} AS ${await relationSql(c, relation)}`);
  const found = await resultColumns(c, output.name, sql);
  checkColumns(output, found);
  await c.run(`CREATE TEMP TABLE ${quoteIdentifier(RESULT)} AS ${sql}`);
  const columns = Object.entries(output.schema).map(([column, type]) => ({
    column,
    as: column,
    type,
    found: found.get(column) ?? '',
  }));
  await checkRows(c, {
    name: output.name,
    table: quoteIdentifier(RESULT),
    misfit,
    columns,
    keys: output.keys,
    ...(output.timestampField === undefined ? {} : { timestampField: output.timestampField }),
  });
  return writeOrdered(c, output, {
    from: quoteIdentifier(RESULT),
    values: Object.fromEntries(
      columns.map(({ column, type, found: from }) => [column, convert(quoteIdentifier(column), type, from)]),
    ),
    orderBy: output.keys.map((key) => quoteIdentifier(key)),
  });
}

/** The names and engine types of a query's result, without running it. */
async function resultColumns(c: Connection, name: string, sql: string): Promise<Map<string, string>> {
  return c.guard(
    async () => {
      const statements = await c.raw.extractStatements(sql);
      const prepared = statements.count === 1 ? await statements.prepare(0) : undefined;
      if (prepared?.statementType !== StatementType.SELECT)
        throw new GranaryError(
          'QueryFailed',
          `The query of ${name} must be one SELECT statement, without anything before or after it.`,
        );
      const columns = new Map<string, string>();
      for (let i = 0; i < prepared.columnCount; i++) {
        const column = prepared.columnName(i);
        if (columns.has(column))
          throw new GranaryError(
            'SchemaMismatch',
            `The query of ${name} returns two columns "${column}". Give one another name with AS.`,
          );
        columns.set(column, prepared.columnType(i).toString());
      }
      return columns;
    },
    sql,
    true,
  );
}

function checkColumns(output: Output, found: ReadonlyMap<string, string>): void {
  checkQueryColumns(output, [...found.keys()]);
  for (const [column, type] of Object.entries(output.schema)) {
    const from = found.get(column) ?? '';
    if (!fitsOutput(type, from)) throw unfit(output.name, column, type, from, suggestedType(from));
  }
}
