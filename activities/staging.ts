import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inDatabase, isKind, isRaw, type Resource } from '../definitions/contract.js';
import type { Output } from '../providers/offline/provider.js';
import type { StagedFiles, StagedRef } from './messages.js';
import type { Runtime } from './runtime.js';

/** Where an attempt writes: apart from every other attempt, so that a paused one disturbs nobody when it wakes. */
export const stagingFolder = (
  run: string,
  target: { readonly kind: string; readonly location: string },
  token: number,
): string => `${runStaging(run)}/${target.kind}-${target.location}-${token}`;

/** Where attempts write. */
export const STAGING = '_staging';

/** All that a run stages. */
export const runStaging = (run: string): string => `${STAGING}/${run}`;

/** Moves an engine's output from this machine's disk into the store, durable when it resolves. */
export async function stageRows(
  runtime: Runtime,
  storeName: string,
  folder: string,
  output: Output,
  signal: AbortSignal,
): Promise<Pick<StagedFiles, 'store' | 'parquet' | 'csv'>> {
  const store = runtime.providers.files(storeName);
  const put = (local: string, name: string): Promise<StagedRef> =>
    store.stage(local, `${folder}/${name}`, { signal });
  const parquet = await put(output.parquet, 'features.parquet');
  const csv = await put(output.csv ?? '', 'features.csv');
  return { store: storeName, parquet, csv };
}

/** A document as every version has it. */
export const documentText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Stages a small text. */
export async function stageText(
  runtime: Runtime,
  storeName: string,
  path: string,
  text: string,
  signal: AbortSignal,
): Promise<StagedRef> {
  const folder = await mkdtemp(join(runtime.scratch, 'document-'));
  try {
    const local = join(folder, 'text');
    await writeFile(local, text);
    return await runtime.providers.files(storeName).stage(local, path, { signal });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The file stores that a project's runs write to; where they write none of their own, whatever its sources lie in. */
export function writtenStores(resources: Iterable<Resource>): string[] {
  const written = new Set<string>();
  const read = new Set<string>();
  for (const resource of resources) {
    if (isKind(resource, 'trainingSet') && resource.spec.engine === undefined)
      written.add(resource.spec.store);
    if (isKind(resource, 'source') && !inDatabase(resource.spec))
      (isRaw(resource.spec) ? read : written).add(resource.spec.store);
  }
  return [...(written.size > 0 ? written : read)];
}
