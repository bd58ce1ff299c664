import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import { offlineConformance } from './offline.conformance.js';

offlineConformance('DuckDB', duckdbOfflineProvider());
