import type { OfflineProvider } from '../provider.js';
import { DuckdbSession } from './session.js';

/** SQL, joins and reads over files by an embedded DuckDB: one instance a session, within that session's budget. */
export function duckdbOfflineProvider(): OfflineProvider {
  return { description: 'DuckDB', open: (options) => DuckdbSession.open(options) };
}
