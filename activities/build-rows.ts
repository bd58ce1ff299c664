import { link } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildFunction } from '../definitions/built-source.js';
import { codeHash as hashOf, handlerOf } from '../definitions/contract-file.js';
import { isRaw, orderedSchema, type BuiltSourceSpec, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { resourceOf } from '../definitions/resource-of.js';
import { fillSql, quoteName } from '../definitions/sql.js';
import type { FileProvider } from '../providers/files/provider.js';
import type { FileRelation, OfflineSession, Output, WrittenTable } from '../providers/offline/provider.js';
import type { DatasetInput } from '../registry/dataset.js';
import { crashPoint } from './crash-points.js';
import { runHandler } from './handler.js';
import { buildTable } from './build-table.js';
import { readFrom } from '../registry/version-choice.js';
import { cut, verifySources, type Resources } from './inputs.js';
import type { StagedRows, StepRequest } from './messages.js';
import { relationOf, type EngineStep } from './relations.js';
import { withEngine, type Runtime } from './runtime.js';
import { stageRows, stagingFolder } from './staging.js';
import type { Attempt } from './step.js';

/** Makes the rows of a feature set or a transformation for the interval and stages them. */
export async function buildRows(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
): Promise<StagedRows> {
  const started = performance.now();
  const { run, step, interval } = request;
  const token = await runtime.registry.ownership.nextToken({ target: step.id, interval }, run);
  const resources = await runtime.registry.resources.all();
  const source = resourceOf(resources, step.id, 'source');
  const { spec } = source;
  if (isRaw(spec))
    throw new GranaryError('Internal', `${step.id} is a raw source; there is nothing to build.`);
  const pinned = await runtime.registry.runs.inputs(run.id, step.id);
  if (spec.engine === 'postgres')
    return await buildTable(runtime, request, attempt, { resources, source, spec, pinned, token });
  const kind = spec.type === 'featureSet' ? 'build' : 'transform';
  return await withEngine(runtime, request, attempt, async (session, folder, at) => {
    const inputs = await relations(runtime, resources, spec, pinned, request, {
      session,
      folder,
      signal: at.signal,
    });
    for (const relation of Object.values(inputs)) await session.inspect(relation);
    const output: Output = {
      name: `${spec.type === 'featureSet' ? 'feature set' : 'transformation'} ${source.name}`,
      schema: orderedSchema(spec),
      keys: spec.keys,
      ...(spec.timestampField === undefined ? {} : { timestampField: spec.timestampField }),
      parquet: join(folder, 'features.parquet'),
      csv: join(folder, 'features.csv'),
    };
    let written: WrittenTable;
    let codeHash: string | undefined;
    if ('sql' in spec.build) {
      const sql = fillSql(spec.build.sql, interval, quoteName);
      written = await session.query({ sql, inputs, output, deterministic: spec.deterministic });
    } else {
      const handler = handlerOf(runtime.project, source);
      if (!handler) throw handlerMissing(spec.build.handler);
      codeHash = hashOf(handler);
      written = await resumeHandler(runtime, source, request, at, {
        session,
        folder,
        inputs,
        output,
        token,
        handler,
      });
    }
    await verifySources(runtime, resources, pinned);
    await crashPoint(`${kind}.before-stage`);
    await runtime.registry.ownership.confirm({ target: step.id, interval }, run, token);
    const staged = await stageRows(
      runtime,
      spec.store,
      stagingFolder(run.id, source, token),
      output,
      at.signal,
    );
    await crashPoint(`${kind}.after-stage`);
    return {
      ...staged,
      ...written,
      ...(codeHash === undefined ? {} : { codeHash }),
      ms: Math.round(performance.now() - started),
    };
  });
}

export const handlerMissing = (name: string): GranaryError =>
  new GranaryError(
    'HandlerMissing',
    `This worker has no code for the build of "${name}". Deploy a worker whose project declares featureSet('${name}', { build: async function* ... }).`,
  );

async function relations(
  runtime: Runtime,
  resources: Resources,
  spec: BuiltSourceSpec,
  pinned: readonly DatasetInput[],
  { interval }: StepRequest,
  step: EngineStep,
): Promise<Record<string, FileRelation>> {
  const entries = Object.entries(spec.inputs).map(async ([name, id]) => {
    const source = resourceOf(resources, id, 'source');
    // A version belongs to the interval it was built for; only raw sources are cut by their timestamps.
    const bounds = cut(source, interval, readFrom(spec, interval));
    return [name, await relationOf(runtime, source, pinned, step, bounds)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** What a TypeScript build's heartbeats keep: finished parts and the build's own value. */
interface BuildCheckpoint {
  readonly v: 1;
  readonly parts: readonly { readonly path: string; readonly sha256: string }[];
  readonly value: unknown;
}

interface HandlerRun {
  readonly session: OfflineSession;
  readonly folder: string;
  readonly inputs: Readonly<Record<string, FileRelation>>;
  readonly output: Output;
  readonly token: number;
  readonly handler: BuildFunction;
}

async function resumeHandler(
  runtime: Runtime,
  source: Resource<'source'> & { readonly location: string },
  request: StepRequest,
  attempt: Attempt,
  work: HandlerRun,
): Promise<WrittenTable> {
  const { session, folder, inputs, output, token, handler } = work;
  const store = runtime.providers.files(source.spec.store);
  let kept = isBuildCheckpoint(attempt.checkpoint) ? attempt.checkpoint : undefined;
  const parts = await partsOf(store, kept, attempt.signal);
  // A part that is gone or damaged: begin anew rather than trust the rest.
  if (!parts) kept = undefined;
  const writer = await session.writer(output);
  for (const part of parts ?? []) await writer.appendParquet(part);
  await runHandler(source.name, handler, session, writer, inputs, {
    interval: request.interval,
    signal: attempt.signal,
    checkpoint: {
      get value() {
        return kept?.value;
      },
      save: async (value) => {
        const parts = [...(kept?.parts ?? [])];
        const name = `part-${parts.length}.parquet`;
        if ((await writer.flush(join(folder, name))) > 0) {
          // Staging moves a file away; the writer still needs its part at the end.
          await link(join(folder, name), join(folder, `staged-${name}`));
          const staged = await store.stage(
            join(folder, `staged-${name}`),
            `${stagingFolder(request.run.id, source, token)}/${name}`,
            { signal: attempt.signal },
          );
          parts.push({ path: staged.path, sha256: staged.sha256 });
        }
        kept = { v: 1, parts, value };
        attempt.keep(kept);
        await crashPoint('build.after-part');
      },
    },
  });
  return await writer.finish();
}

/** Paths of an earlier attempt's parts on this machine's disk; undefined when one is not what was recorded. */
async function partsOf(
  store: FileProvider,
  kept: BuildCheckpoint | undefined,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  const paths: string[] = [];
  for (const part of kept?.parts ?? []) {
    try {
      paths.push(await store.localPath(part.path, { sha256: part.sha256, signal }));
    } catch (error) {
      if (
        error instanceof GranaryError &&
        (error.code === 'ChecksumMismatch' || error.code === 'SourceMissing')
      )
        return undefined;
      throw error;
    }
  }
  return paths;
}

function isBuildCheckpoint(value: unknown): value is BuildCheckpoint {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { v?: unknown }).v === 1 &&
    Array.isArray((value as { parts?: unknown }).parts)
  );
}
