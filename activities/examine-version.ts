import { log } from '@temporalio/activity';
import { isRaw, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import type { Profile } from '../definitions/profile.js';
import { resourceOf } from '../definitions/resource-of.js';
import {
  isRowRule,
  stops,
  type RowRule,
  type RuleResult,
  type ValidationRule,
  type VersionRule,
} from '../definitions/validation.js';
import type { FoundColumns, OfflineSession } from '../providers/offline/provider.js';
import type { TableSession } from '../providers/offline/table-provider.js';
import type { DatasetInput } from '../registry/dataset.js';
import type { StagedName, VersionFacts } from '../registry/version-facts.js';
import { crashPoint } from './crash-points.js';
import { localSource, type Resources } from './inputs.js';
import type { StagedRows, StepRequest } from './messages.js';
import { tableOf } from './relations.js';
import type { Runtime } from './runtime.js';
import { applyVersionRules } from './version-rules.js';

/** Rows that were made and not committed yet, wherever they lie. */
export interface MadeRows {
  readonly name: string;
  readonly rules: readonly ValidationRule[];
  readonly timestampField: string | undefined;
  profile(): Promise<Profile>;
  validate(rules: readonly RowRule[]): Promise<readonly RuleResult[]>;
  /** The columns that the raw inputs have now, by source; asked for by a rule. */
  inputColumns(): Promise<VersionFacts['inputColumns']>;
}

/**
 * Profiles rows and applies their rules, before anything is committed. Rules that only warn are told in the log.
 * @throws GranaryError `ValidationFailed` that lists every rule that failed; the previous version stays.
 */
export async function examine(runtime: Runtime, request: StepRequest, made: MadeRows): Promise<VersionFacts> {
  const { name, rules, timestampField } = made;
  const rowRules = rules.filter(isRowRule);
  const versionRules = rules.filter((rule): rule is VersionRule => !isRowRule(rule));
  const found = rowRules.length === 0 ? [] : await made.validate(rowRules);
  const profile = await made.profile();
  const inputColumns = versionRules.some(({ rule }) => rule === 'noSchemaDrift')
    ? await made.inputColumns()
    : {};
  const held = await applyVersionRules(
    runtime,
    request,
    { profile, timestampField, inputColumns },
    versionRules,
  );
  const results = [...found, ...held];
  const validation = rules.flatMap((rule) => results.find((result) => result.rule === rule) ?? []);
  const failed = validation.filter(stops);
  if (failed.length > 0)
    throw new GranaryError(
      'ValidationFailed',
      `${name} for ${intervalName(request.interval)} was not published: ${failed.map(({ message }) => message).join('; ')}. The previous version stays. Correct the data or the rule and run the interval again.`,
      { details: { failed } },
    );
  for (const { rule, observed, message } of validation.filter(({ passed }) => !passed))
    log.warn(`${name} for ${intervalName(request.interval)}: ${message}`, { rule: rule.rule, observed });
  return { profile, validation, inputColumns };
}

/** The name under which facts of staged rows are noted. */
export const stagedName = ({ run, step }: StepRequest, staged: StagedRows): StagedName => ({
  run: run.id,
  step: step.id,
  staged: 'table' in staged ? staged.table : staged.parquet.path,
});

/** Notes what was found of staged rows, for their commit. Done again, it is the same. */
export async function noteFacts(
  runtime: Runtime,
  request: StepRequest,
  staged: StagedRows,
  facts: VersionFacts,
): Promise<void> {
  await crashPoint('facts.before-note');
  await runtime.registry.facts.note(stagedName(request, staged), facts);
  await crashPoint('facts.after-note');
}

/** The columns that the raw sources of a step have now, as its run pinned them. */
export async function inputColumns(
  runtime: Runtime,
  resources: Resources,
  pinned: readonly DatasetInput[],
  engine: { readonly files?: OfflineSession; readonly tables?: TableSession; readonly signal: AbortSignal },
): Promise<VersionFacts['inputColumns']> {
  const found: Record<string, FoundColumns> = {};
  for (const id of [...new Set(pinned.map(({ source }) => source))].sort()) {
    const source = resourceOf(resources, id, 'source');
    if (!isRaw(source.spec)) continue;
    found[id] =
      source.spec.type === 'table'
        ? await tableColumns(runtime, source, pinned, engine)
        : await fileColumns(runtime, source, pinned, engine);
  }
  return found;
}

async function tableColumns(
  runtime: Runtime,
  source: Resource<'source'>,
  pinned: readonly DatasetInput[],
  { tables, signal }: { readonly tables?: TableSession; readonly signal: AbortSignal },
): Promise<FoundColumns> {
  const relation = await tableOf(runtime, source, pinned);
  if (tables) return await tables.columns(relation);
  await using session = await runtime.providers.offline(source.spec.store).open({ signal });
  return await session.columns(relation);
}

async function fileColumns(
  runtime: Runtime,
  source: Resource<'source'>,
  pinned: readonly DatasetInput[],
  { files: session, signal }: { readonly files?: OfflineSession; readonly signal: AbortSignal },
): Promise<FoundColumns> {
  const { spec } = source;
  if (!session || spec.type !== 'file') return {};
  const store = runtime.providers.files(spec.store);
  const files = pinned.flatMap((input) =>
    input.type === 'files' && input.source === source.id ? input.files : [],
  );
  return await session.columns({
    name: `source ${source.name}`,
    schema: {},
    format: spec.format,
    files: await Promise.all(
      files.map(async ({ path, sha256 }) => ({
        path: await localSource(runtime, source, path, sha256, signal),
        uri: store.uri(path),
        generation: 0,
      })),
    ),
  });
}
