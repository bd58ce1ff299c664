import { createHash } from 'node:crypto';
import { ALL_TIME } from '../../definitions/interval.js';
import type { TableRelation } from '../../providers/offline/table-provider.js';
import { allRows, type JoinEngine } from './offline-join.js';
import { createWarehouse } from './warehouse.js';

/** The joins of Postgres over tables of a schema of the suite's own. */
export async function tableJoins(): Promise<JoinEngine<TableRelation>> {
  const warehouse = await createWarehouse();
  const session = await warehouse.provider.open({ signal: new AbortController().signal });
  let token = 0;
  return {
    place: (name, schema, rows) => warehouse.place(name, schema, rows),
    async join({ output, ...request }) {
      const owner = { run: 'suite', target: 'trainingSet/x', token: token++ };
      const statistics = await session.pointInTimeJoin({
        ...request,
        output: { ...output, stage: owner, interval: ALL_TIME },
      });
      const table = `joined_${token}`;
      const version = {
        dataset: `d${token}`,
        interval: ALL_TIME,
        generation: 1,
        target: table,
        staged: statistics.table,
      };
      await warehouse.provider.publish(version, () => Promise.resolve(new Map([[table, table]])));
      const rows = await allRows(
        session.read({
          name: output.name,
          table: { schema: warehouse.provider.schema, table },
          schema: output.schema,
          versions: [{ interval: ALL_TIME, dataset: version.dataset }],
        }),
      );
      const { table: _table, ...counts } = statistics;
      const digest = createHash('sha256').update(JSON.stringify(rows, bigintAsText)).digest('hex');
      return { statistics: counts, rows, digest };
    },
    async close() {
      await session.close();
      await warehouse.remove();
    },
  };
}

const bigintAsText = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : value;
