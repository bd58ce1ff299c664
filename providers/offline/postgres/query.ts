import { GranaryError } from '../../../definitions/errors.js';
import { quoteName } from '../../../definitions/sql.js';
import { checkQueryColumns, unfit } from '../shape.js';
import type { QueryRequest } from '../provider.js';
import type { StagedTable, TableOutput, TableRelation } from '../table-provider.js';
import { queryColumns } from './catalogue.js';
import { fitsOutput, suggestedType, type FoundColumn } from './column-types.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';
import { stageRows } from './staged-rows.js';

/** Runs SQL over tables, in the transaction under way, and stages its rows. */
export async function runQuery(
  c: Connection,
  schema: string,
  { sql, inputs, output }: Omit<QueryRequest<TableRelation, TableOutput>, 'deterministic'>,
): Promise<StagedTable> {
  const sources: string[] = [];
  // Not materialized: the planner sees through to the tables and their indexes.
  for (const [name, relation] of Object.entries(inputs))
    sources.push(`${quoteName(name)} AS NOT MATERIALIZED (${await relationSql(c, relation)})`);
  const query = sources.length === 0 ? sql : `WITH ${sources.join(', ')} SELECT * FROM (${sql}\n) query`;
  const found = await queryColumns(c, query);
  const columns = checkColumns(output, found);
  return await stageRows(
    c,
    schema,
    output,
    `(${query}\n) query`,
    columns.map(({ name, family }) => ({
      as: name,
      value: quoteName(name),
      family,
      type: output.schema[name] ?? 'string',
    })),
  );
}

/** The found columns in the schema's order. */
function checkColumns(output: TableOutput, found: readonly FoundColumn[]): FoundColumn[] {
  const { name, schema } = output;
  const returned = found.map((column) => column.name);
  const twice = returned.find((column, i) => returned.indexOf(column) !== i);
  if (twice !== undefined)
    throw new GranaryError(
      'SchemaMismatch',
      `The query of ${name} returns two columns "${twice}". Give one another name with AS.`,
    );
  checkQueryColumns(output, returned);
  return Object.entries(schema).map(([column, type]) => {
    const is = found.find((other) => other.name === column) as FoundColumn;
    if (fitsOutput(type, is.family)) return is;
    throw unfit(name, column, type, is.shown, suggestedType(is.family));
  });
}
