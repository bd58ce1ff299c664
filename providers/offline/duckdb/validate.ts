import type { RowRule, RuleResult } from '../../../definitions/validation.js';
import type { FileRelation } from '../provider.js';
import { applyRules } from '../rules.js';
import type { Connection } from './connection.js';
import { relationSql } from './relation-sql.js';

/** Applies rules to a relation's rows. */
export async function validateRows(
  c: Connection,
  relation: FileRelation,
  rules: readonly RowRule[],
): Promise<readonly RuleResult[]> {
  await c.run(`CREATE TEMP VIEW __rows AS ${await relationSql(c, relation)}`);
  return await applyRules(c, '__rows', relation, rules);
}
