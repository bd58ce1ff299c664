import type { Profile } from '../definitions/profile.js';
import { durationMicros, intervalName, isAllTime, isSameInterval } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { RuleResult, VersionRule } from '../definitions/validation.js';
import { span } from '../providers/offline/rules.js';
import type { Dataset } from '../registry/dataset.js';
import type { VersionFacts } from '../registry/version-facts.js';
import type { StepRequest } from './messages.js';
import type { Runtime } from './runtime.js';

/** What rules look at that hold a version against others, its inputs or the time. */
export interface RuledVersion {
  readonly profile: Profile;
  /** The column that says when a row happened. */
  readonly timestampField: string | undefined;
  readonly inputColumns: VersionFacts['inputColumns'];
}

/** Applies rules that hold a version against the one before it, its inputs, or the time. */
export async function applyVersionRules(
  runtime: Runtime,
  request: StepRequest,
  version: RuledVersion,
  rules: readonly VersionRule[],
): Promise<readonly RuleResult[]> {
  if (rules.length === 0) return [];
  const { run, step, interval } = request;
  const { datasets, facts, runs } = runtime.registry;
  const before = await datasets.before(step.id, interval, run.id);
  const results: RuleResult[] = [];
  for (const rule of rules)
    switch (rule.rule) {
      case 'rowCountChange':
        results.push(rowCountChange(rule, version.profile.rows, before, request));
        break;
      case 'noSchemaDrift':
        results.push(
          schemaDrift(rule, version.inputColumns, before && (await facts.of(before.id))?.inputColumns),
        );
        break;
      case 'freshness': {
        const now = isAllTime(interval) ? (await runs.get(run.id))?.startedAt : interval.end;
        results.push(freshness(rule, version, now ?? interval.end));
      }
    }
  return results;
}

/** Whether what a rule found may differ between two equal runs: it looked at other versions, or at the time. */
export const dependsOnHistory = ({ rule }: RuleResult, { interval }: StepRequest): boolean =>
  rule.rule === 'rowCountChange' ||
  rule.rule === 'noSchemaDrift' ||
  (rule.rule === 'freshness' && isAllTime(interval));

function rowCountChange(
  rule: VersionRule & { readonly rule: 'rowCountChange' },
  rows: number,
  before: Dataset | undefined,
  { interval }: StepRequest,
): RuleResult {
  const found = `${rows} ${rows === 1 ? 'row' : 'rows'}`;
  if (!before) return { rule, passed: true, observed: 1, message: `${found}, the first version` };
  const isSame = isSameInterval(before.interval, interval);
  const which = isSame ? 'the version before' : intervalName(before.interval);
  if (before.rows === 0)
    return { rule, passed: true, observed: 1, message: `${found}; ${which} had none to compare with` };
  const ratio = rows / before.rows;
  return {
    rule,
    passed: ratio >= (rule.min ?? 0) && ratio <= (rule.max ?? Infinity),
    observed: ratio,
    message: `${found}, ${Number(ratio.toPrecision(3))} times the ${before.rows} of ${which}; expected within ${span(rule)}`,
  };
}

function schemaDrift(
  rule: VersionRule & { readonly rule: 'noSchemaDrift' },
  now: VersionFacts['inputColumns'],
  before: VersionFacts['inputColumns'] | undefined,
): RuleResult {
  const changes = Object.entries(now).flatMap(([source, columns]) => {
    const had = before?.[source];
    if (!had) return [];
    const names = [...new Set([...Object.keys(columns), ...Object.keys(had)])].sort();
    return names.flatMap((name) => {
      const [is, was] = [columns[name], had[name]];
      if (is === was) return [];
      if (was === undefined) return [`${source}: "${name}" was added (${is ?? ''})`];
      if (is === undefined) return [`${source}: "${name}" was removed (${was})`];
      return [`${source}: "${name}" is ${is} and was ${was}`];
    });
  });
  return {
    rule,
    passed: changes.length === 0,
    observed: changes.length,
    message:
      changes.length === 0
        ? `the inputs have the columns ${before ? 'that they had for the version before' : 'of the first version'}`
        : `the inputs' columns changed: ${changes.join(', ')}. If that is meant, apply the definition under a new variant`,
  };
}

function freshness(
  rule: VersionRule & { readonly rule: 'freshness' },
  { profile, timestampField }: RuledVersion,
  end: string,
): RuleResult {
  const newest = profile.columns.find(({ name }) => name === timestampField)?.max;
  const place = timestampField ?? 'the event time';
  if (newest === undefined)
    return { rule, passed: false, observed: 0, message: `${place}: no row has one, so nothing is fresh` };
  const age = Timestamp.from(end).micros - Timestamp.from(String(newest)).micros;
  return {
    rule,
    passed: age <= durationMicros(rule.within),
    observed: Number(age) / 1e6,
    message: `${place}: the newest is ${String(newest)}, expected within ${rule.within} before ${end}`,
  };
}
