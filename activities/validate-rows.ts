import { isRaw, orderedSchema } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import type { RuleResult } from '../definitions/validation.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { StagedRows, StepRequest, ValidationOutcome } from './messages.js';
import { withEngine, withTables, type Runtime } from './runtime.js';
import type { Attempt } from './step.js';

/**
 * Checks staged rows against the rules of their definition, before anything is committed.
 * @throws GranaryError `ValidationFailed` that lists every rule that failed; the previous version stays.
 */
export async function validateRows(
  runtime: Runtime,
  request: StepRequest,
  staged: StagedRows,
  attempt: Attempt,
): Promise<ValidationOutcome> {
  const started = performance.now();
  const resources = await runtime.registry.resources.all();
  const source = resourceOf(resources, request.step.id, 'source');
  const { spec } = source;
  const rules = isRaw(spec) ? [] : spec.validate;
  if (rules.length === 0) return { results: [], ms: 0 };
  const described = { name: `the rows of ${source.name}`, schema: orderedSchema(spec) };
  if ('table' in staged) {
    const results = await withTables(runtime, request, attempt, staged.store, (session) =>
      session.validate(staged.table, described, rules),
    );
    return judged(source.name, request, results, started);
  }
  const results = await withEngine(runtime, request, attempt, async (session, _folder, at) => {
    const store = runtime.providers.files(staged.store);
    const path = await store.localPath(staged.parquet.path, {
      sha256: staged.parquet.sha256,
      signal: at.signal,
    });
    const relation = {
      ...described,
      format: 'parquet' as const,
      files: [{ path, uri: store.uri(staged.parquet.path), generation: 0 }],
    };
    return await session.validate(relation, rules);
  });
  return judged(source.name, request, results, started);
}

function judged(
  name: string,
  request: StepRequest,
  results: readonly RuleResult[],
  started: number,
): ValidationOutcome {
  const failed = results.filter((result) => !result.passed);
  if (failed.length > 0)
    throw new GranaryError(
      'ValidationFailed',
      `${name} for ${intervalName(request.interval)} was not published: ${failed.map((result) => result.message).join('; ')}. The previous version stays. Correct the data or the rule and run the interval again.`,
      { details: { failed } },
    );
  return { results, ms: Math.round(performance.now() - started) };
}
