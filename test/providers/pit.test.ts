import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import { fileJoins } from '../support/offline-join.js';
import { tableJoins } from '../support/table-join.js';
import { pointInTimeConformance } from './pit.conformance.js';

pointInTimeConformance('DuckDB', () => fileJoins(duckdbOfflineProvider()));
pointInTimeConformance('Postgres', tableJoins);
