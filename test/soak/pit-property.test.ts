import { afterAll, beforeAll, describe } from 'vitest';
import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import type { Relation } from '../../providers/offline/provider.js';
import { pointInTimeProperty } from '../providers/pit-property.conformance.js';
import { fileJoins, type JoinEngine } from '../support/offline-join.js';
import { tableJoins } from '../support/table-join.js';

const RUNS = Number(process.env['GRANARY_PROPERTY_CASES'] ?? 5000);

/** Random point-in-time joins, thousands of them. */
function soak<R extends Relation>(name: string, open: () => Promise<JoinEngine<R>>): void {
  describe(`point in time on ${name}`, () => {
    let engine: JoinEngine<R>;
    beforeAll(async () => {
      engine = await open();
    });
    afterAll(() => engine.close());

    pointInTimeProperty(() => engine, RUNS);
  });
}

soak('DuckDB', () => fileJoins(duckdbOfflineProvider()));
soak('Postgres', tableJoins);
