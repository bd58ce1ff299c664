/**
 * Rows in columns, as engines hand them over: `columns[i][row]`. Values by type: bool -> boolean, int32/float32/
 * float64 -> number, int64 -> bigint, string -> string, bytes -> Uint8Array, timestamp -> bigint microseconds since
 * the epoch in UTC, lists -> arrays of these; NULL is `null`.
 */
export interface ColumnBatch {
  readonly rows: number;
  readonly columns: readonly (readonly unknown[])[];
}
