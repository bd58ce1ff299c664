import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import { pointInTimeConformance } from './pit.conformance.js';

pointInTimeConformance('DuckDB', duckdbOfflineProvider());
