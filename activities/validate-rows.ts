import { isRaw, orderedSchema } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { resourceOf } from '../definitions/resource-of.js';
import { examine, inputColumns, noteFacts, type MadeRows } from './examine-version.js';
import type { StagedRows, StepRequest, ValidationOutcome } from './messages.js';
import { withEngine, withTables, type Runtime } from './runtime.js';
import type { Attempt } from './step.js';

/**
 * Profiles staged rows and checks them against the rules of their definition, before anything is committed; what was found is noted for the commit.
 * @throws GranaryError `ValidationFailed` that lists every rule that failed; the previous version stays.
 */
export async function validateRows(
  runtime: Runtime,
  request: StepRequest,
  staged: StagedRows,
  attempt: Attempt,
): Promise<ValidationOutcome> {
  const started = performance.now();
  const { registry } = runtime;
  const resources = await registry.resources.all();
  const source = resourceOf(resources, request.step.id, 'source');
  const { spec } = source;
  if (isRaw(spec))
    throw new GranaryError('Internal', `${source.id} is a raw source; there is nothing to validate.`);
  const pinned = await registry.runs.inputs(request.run.id, request.step.id);
  const described = { name: `the rows of ${source.name}`, schema: orderedSchema(spec) };
  const made: Pick<MadeRows, 'name' | 'rules' | 'timestampField'> = {
    name: source.name,
    rules: spec.validate,
    timestampField: spec.timestampField,
  };
  const facts =
    'table' in staged
      ? await withTables(runtime, request, attempt, staged.store, (tables, { signal }) =>
          examine(runtime, request, {
            ...made,
            profile: () => tables.profile(staged.table, { ...described, keys: spec.keys }),
            validate: (rules) => tables.validate(staged.table, described, rules),
            inputColumns: () => inputColumns(runtime, resources, pinned, { tables, signal }),
          }),
        )
      : await withEngine(runtime, request, attempt, async (files, _folder, { signal }) => {
          const store = runtime.providers.files(staged.store);
          const { path: place, sha256 } = staged.parquet;
          const path = await store.localPath(place, { sha256, signal });
          const relation = { ...described, format: 'parquet' as const };
          return await examine(runtime, request, {
            ...made,
            profile: () => files.profile({ ...described, parquet: path }),
            validate: (rules) =>
              files.validate({ ...relation, files: [{ path, uri: store.uri(place), generation: 0 }] }, rules),
            inputColumns: () => inputColumns(runtime, resources, pinned, { files, signal }),
          });
        });
  await noteFacts(runtime, request, staged, facts);
  return { results: facts.validation, ms: Math.round(performance.now() - started) };
}
