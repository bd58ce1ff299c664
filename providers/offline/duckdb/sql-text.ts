/** A name as a quoted SQL identifier; dots and quotes in it stay part of the name. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a SQL string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** An instant as an engine expression of type TIMESTAMPTZ; the optimizer folds it to a constant. */
export function instant(micros: bigint): string {
  return `make_timestamptz(${micros}::BIGINT)`;
}

/** `a, b` as quoted identifiers, each after a prefix such as `s.`. */
export function quoteIdentifiers(names: readonly string[], prefix = ''): string {
  return names.map((name) => prefix + quoteIdentifier(name)).join(', ');
}
