import { DuckDBInstance } from '@duckdb/node-api';

/** Rows of plain SQL, in an engine of its own. */
export async function query(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRows() as unknown[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Runs statements in an engine of their own, times in UTC. */
export async function execute(...statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { preserve_insertion_order: 'false' });
  const connection = await instance.connect();
  try {
    for (const statement of ["SET TimeZone = 'UTC'", ...statements]) await connection.run(statement);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
