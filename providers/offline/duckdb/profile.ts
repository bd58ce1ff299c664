import type { Profile } from '../../../definitions/profile.js';
import { PROFILE_SAMPLE, profileRows } from '../profile-rows.js';
import type { WrittenFile } from '../provider.js';
import type { Connection } from './connection.js';
import { fileReader } from './inspect.js';
import { literal, quoteIdentifiers } from './sql-text.js';

/** Profiles a Parquet file of one order of rows. */
export async function profileFile(
  c: Connection,
  { schema, parquet }: WrittenFile,
  most = PROFILE_SAMPLE,
): Promise<Profile> {
  const columns = quoteIdentifiers(Object.keys(schema));
  await c.run(`CREATE TEMP VIEW __profiled AS SELECT ${columns} FROM ${fileReader('parquet', [parquet])}`);
  return await profileRows(
    {
      rows: (sql) => c.rows(sql),
      // They are held in memory, and cannot spill.
      quantilesAtOnce: 1,
      micros: (value) => `epoch_us(${value})`,
      byBytes: (value) => value,
      sample: async (k) => {
        await c.run(
          `CREATE TEMP TABLE __sample AS SELECT ${columns} FROM read_parquet([${literal(parquet)}], hive_partitioning = false, file_row_number = true) WHERE file_row_number % ${k} = 0`,
        );
        return '__sample';
      },
    },
    '__profiled',
    schema,
    most,
  );
}
