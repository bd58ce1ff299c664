import { createHash } from 'node:crypto';
import { quoteName } from '../../../definitions/sql.js';
import type { OnlineView } from '../provider.js';

/** Longest name that Postgres keeps whole, in bytes. */
const MAX_BYTES = 63;

/** The columns of every table beside the features, and the system columns that Postgres reserves. */
const RESERVED: ReadonlySet<string> = new Set([
  'entity_key',
  'event_timestamp',
  'created_timestamp',
  'promotion',
  'generation',
  'tableoid',
  'xmin',
  'cmin',
  'xmax',
  'cmax',
  'ctid',
]);

/**
 * The table of a view: `<project>__<view>`. A name that is too long, or that another project and view would have too
 * (`a__b` + `c`, `a` + `b__c`), ends with a hash of both.
 */
export function tableName({ project, name }: OnlineView): string {
  const plain = `${project}__${name}`;
  const ambiguous = plain.split('__').length !== 2 || project.endsWith('_') || name.startsWith('_');
  return ambiguous || tooLong(plain) ? hashed(plain, `${project}\0${name}`) : plain;
}

/** The column of a feature: its name, or one that ends with a hash when it is too long or taken. */
export function columnName(feature: string): string {
  return RESERVED.has(feature) || tooLong(feature) ? hashed(feature, feature) : feature;
}

function tooLong(name: string): boolean {
  return Buffer.byteLength(name) > MAX_BYTES;
}

function hashed(name: string, whole: string): string {
  const suffix = `_${createHash('sha256').update(whole).digest('hex').slice(0, 12)}`;
  let head = name;
  while (Buffer.byteLength(head) + suffix.length > MAX_BYTES) head = head.slice(0, -1);
  return head + suffix;
}

/** The quoted name of the table of promotions' fences. */
export const fencesTable = (schema: string): string => `${quoteName(schema)}.granary_fences`;
