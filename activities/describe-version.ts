import { isKind, isRaw, orderedSchema, type Resource } from '../definitions/contract.js';
import type { Schema } from '../definitions/types.js';
import type { RuleResult } from '../definitions/validation.js';
import type { DatasetInput } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import type { VersionFacts } from '../registry/version-facts.js';
import type { Resources } from './inputs.js';
import type { StagedFiles, StagedRef, StepRequest } from './messages.js';
import { documentText } from './staging.js';
import { trainingSchema } from '../definitions/training-schema.js';
import { dependsOnHistory } from './version-rules.js';

/** What a version's documents tell. */
export interface ToldVersion {
  readonly request: StepRequest;
  readonly staged: StagedFiles;
  /** Undefined for what a worker of an earlier release staged. */
  readonly facts: VersionFacts | undefined;
  readonly validation: readonly RuleResult[];
  readonly inputs: readonly DatasetInput[];
  readonly version: string;
  readonly generation: number;
}

/** schema.json and metadata.json. All that differs between two equal runs stands in the one object `run`. */
export function describeVersion(
  resources: Resources,
  target: RegisteredResource,
  { request, staged, facts, validation, inputs, version, generation }: ToldVersion,
): { schema: string; metadata: (schema: StagedRef) => string } {
  const history = validation.filter((result) => dependsOnHistory(result, request));
  const shape = shapeOf(resources, target);
  const file = ({ bytes, sha256 }: StagedRef): object => ({ bytes, sha256 });
  const schema = documentText({
    name: target.name,
    variant: target.variant,
    columns: Object.entries(shape.schema).map(([name, type]) => ({ name, type })),
    keys: shape.keys,
    timestampField: shape.timestampField ?? null,
  });
  return {
    schema,
    metadata: (schemaFile) =>
      documentText({
        name: target.name,
        variant: target.variant,
        kind: target.kind,
        fingerprint: target.fingerprint,
        interval: request.interval,
        rows: staged.rows,
        eventTimes: staged.eventTimes ?? null,
        files: {
          'features.parquet': file(staged.parquet),
          'features.csv': file(staged.csv),
          'schema.json': file(schemaFile),
        },
        upstream: inputs.map((input) =>
          input.type === 'files'
            ? { source: input.source, files: input.files }
            : input.type === 'table'
              ? { source: input.source, table: input.table, readAt: input.readAt }
              : { source: input.source, interval: input.interval, sha256: input.sha256 },
        ),
        codeHash: staged.codeHash ?? null,
        validation: rulesText(validation.filter((result) => !history.includes(result))),
        ...(facts === undefined ? {} : { profile: facts.profile }),
        ...(staged.matched === undefined ? {} : { matched: staged.matched }),
        metadata: shape.metadata,
        run: {
          ...runFacts(request, version, generation),
          ...(history.length === 0 ? {} : { validation: rulesText(history) }),
        },
      }),
  };
}

const rulesText = (results: readonly RuleResult[]): object[] =>
  results.map(({ rule, passed, observed, message }) => ({
    rule,
    passed,
    severity: rule.severity ?? 'fail',
    observed,
    message,
  }));

/** The part of metadata.json that differs between two equal runs. */
export const runFacts = ({ run }: StepRequest, version: string, generation: number): object => ({
  id: run.id,
  workflowId: run.workflowId,
  version,
  generation,
  createdAt: new Date().toISOString(),
});

function shapeOf(
  resources: Resources,
  target: Resource,
): { schema: Schema; keys: readonly string[]; timestampField?: string; metadata: object } {
  if (isKind(target, 'source') && !isRaw(target.spec))
    return {
      schema: orderedSchema(target.spec),
      keys: target.spec.keys,
      ...(target.spec.timestampField === undefined ? {} : { timestampField: target.spec.timestampField }),
      metadata: target.spec.metadata,
    };
  if (isKind(target, 'trainingSet'))
    return { schema: trainingSchema(resources, target), keys: [], metadata: {} };
  return { schema: {}, keys: [], metadata: {} };
}
