import { GranaryError } from './errors.js';
import type { Interval } from './interval.js';
import type { AnySource } from './source.js';

/** Stands for the run's interval in `sql`: `intervalStart` and `intervalEnd` become timestamp literals. */
export interface IntervalBound {
  readonly kind: 'intervalBound';
  readonly bound: 'start' | 'end';
}

/** The start of the run's interval (inclusive) in `sql`. */
export const intervalStart: IntervalBound = { kind: 'intervalBound', bound: 'start' };
/** The end of the run's interval (exclusive) in `sql`. */
export const intervalEnd: IntervalBound = { kind: 'intervalBound', bound: 'end' };

/** SQL with references to sources; made by {@link sql}. */
export interface SqlTemplate {
  readonly kind: 'sql';
  /** Texts and references, alternating as written. */
  readonly parts: readonly (string | SqlReference)[];
}

/** What stands between the texts of {@link SqlTemplate}. */
export type SqlReference = IntervalBound | AnySource | { readonly kind: 'name'; readonly name: string };

/**
 * SQL over other sources: interpolates definitions, {@link intervalStart}, {@link intervalEnd}, other `sql` and finite numbers. A
 * text is never interpolated: write it as an SQL literal.
 */
export function sql(
  texts: TemplateStringsArray,
  ...values: readonly (AnySource | IntervalBound | SqlTemplate | number)[]
): SqlTemplate {
  const parts: (string | SqlReference)[] = [texts[0] ?? ''];
  values.forEach((value, i) => {
    if (typeof value === 'number') {
      if (!Number.isFinite(value))
        throw new GranaryError(
          'InvalidDefinition',
          `sql: ${value} cannot be interpolated; only finite numbers can.`,
        );
      parts.push(String(value));
    } else if (typeof value !== 'object' || !['source', 'sql', 'intervalBound'].includes(value.kind)) {
      throw new GranaryError(
        'InvalidDefinition',
        `sql: value ${i + 1} is a ${typeof value}; interpolate sources, intervalStart, intervalEnd, other sql or numbers, and write texts as SQL literals.`,
      );
    } else if (value.kind === 'sql') parts.push(...value.parts);
    else parts.push(value);
    parts.push(texts[i + 1] ?? '');
  });
  return { kind: 'sql', parts };
}

const REFERENCE = /\{\{\s*([A-Za-z][\w-]*)(?:\.([A-Za-z0-9][\w-]*))?\s*\}\}/g;

/** Reads a plain text with `{{name}}` or `{{name.variant}}` as a template. */
export function parseSql(text: string): SqlTemplate {
  const parts: (string | SqlReference)[] = [];
  let at = 0;
  for (const m of text.matchAll(REFERENCE)) {
    parts.push(text.slice(at, m.index));
    const [all, name = '', rest] = m;
    if (name === 'interval' && (rest === 'start' || rest === 'end'))
      parts.push({ kind: 'intervalBound', bound: rest });
    else parts.push({ kind: 'name', name: rest === undefined ? name : `${name}.${rest}` });
    at = m.index + all.length;
  }
  parts.push(text.slice(at));
  return { kind: 'sql', parts };
}

/** The text with every reference replaced by what `resolve` says. */
export function renderSql(template: SqlTemplate, resolve: (reference: SqlReference) => string): string {
  return template.parts.map((part) => (typeof part === 'string' ? part : resolve(part))).join('');
}

/** Fills a canonical text: `{{name.variant}}` by `relation`, `{{interval.start|end}}` by a literal in UTC. */
export function fillSql(text: string, interval: Interval, relation: (id: string) => string): string {
  return renderSql(parseSql(text), (reference) => {
    if (reference.kind === 'intervalBound')
      return `TIMESTAMPTZ '${interval[reference.bound].replace('T', ' ').replace('Z', '+00')}'`;
    return relation(reference.name);
  });
}

// Comments, quoted texts and names, dollar quotes, references, numbers, words, operators, punctuation.
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|\{\{[^}]*\}\}|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[\p{L}_][\p{L}\p{N}_$]*|[+\-*/<>=~!@#%^&|`?:]+|\S/giu;

/** SQL without its comments, quoted texts and quoted names: what is left are its words, operators, references and punctuation. */
export const unquotedSql = (text: string): string =>
  [...text.matchAll(TOKEN)]
    .map(([token]) => token)
    .filter((token) => !/^(--|\/\*|['"]|\$\w*\$)/.test(token))
    .join(' ');

/**
 * SQL reduced to its meaning, for fingerprints: no comments, one space between tokens, unquoted words in lower case.
 * Quoted texts and names, and references, stay as they are.
 */
export function normalizeSql(text: string): string {
  const tokens: string[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    if (token.startsWith('--') || token.startsWith('/*')) continue;
    tokens.push(/^['"$]|^\{\{/.test(token) ? token : token.toLowerCase());
  }
  return tokens.join(' ').replace(/( ;)+$/, '');
}

/** A name as a quoted SQL identifier (standard SQL: DuckDB and Postgres alike). */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
