import { DuckDBInstance } from '@duckdb/node-api';

/** Rows of plain SQL in an engine of its own: what results are compared with, and what fixtures are made by. */
export async function query(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const reader = await connection.runAndReadAll(sql);
    return reader.getRowObjectsJS() as Record<string, unknown>[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

export const FLIGHTS = 'node_modules/vega-datasets/data/flights-3m.parquet';
