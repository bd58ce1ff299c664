import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Contract } from '../../definitions/contract-file.js';
import type { Resource } from '../../definitions/contract.js';
import type { CatalogEntry } from '../../registry/catalog.js';
import { registryError } from '../../registry/database.js';
import { ownRegistry } from '../support/registry.js';

const { schema, pool, registry, begin: beginRun } = ownRegistry();
const source = (name: string, inputs: Readonly<Record<string, string>> = {}): Resource<'source'> => ({
  ...{ id: `source/${name}.v1`, kind: 'source', name, variant: 'v1', fingerprint: name, about: {} },
  spec: {
    ...{ type: 'transformation', store: 'lake', schema: {}, columns: [], inputs, keys: [], metadata: {} },
    ...{ build: { sql: 'SELECT 1' }, validate: [], deterministic: true },
  },
});
const registered = async (): Promise<CatalogEntry> => {
  const made = source(`s${randomBytes(4).toString('hex')}`);
  await registry.resources.register([made], []);
  return (await registry.catalog.entries()).get(made.id) as CatalogEntry;
};
const ref = () => ({ id: randomUUID(), workflowId: `wf-${randomBytes(4).toString('hex')}` });
const begin = async (run: ReturnType<typeof ref>, id: string): Promise<string> =>
  await beginRun(run, id).then(
    () => 'begun',
    (error: unknown) => (registryError(error) as { code: string }).code,
  );
const mark = async (entry: CatalogEntry, run = ref()): Promise<string> =>
  await registry.removals.mark(entry, { run, by: 'ada' }, undefined).then(
    () => 'marked',
    (error: unknown) => (error as { code: string }).code,
  );

describe('the removal of a resource', () => {
  it('is refused while a run that makes it is open, by its name, and not afterwards', async () => {
    const entry = await registered();
    const run = ref();
    expect(await begin(run, entry.id)).toBe('begun');
    await expect(registry.removals.mark(entry, { run: ref(), by: 'ada' }, undefined)).rejects.toMatchObject({
      code: 'RemovalRefused',
      message: expect.stringContaining(
        `the run ${run.workflowId} is making it: wait for it, or cancel it`,
      ) as string,
    });
    await registry.runs.end(run.id, 'COMPLETED', []);
    expect(await mark(entry)).toBe('marked');
  });

  it('keeps runs and definitions that need it away until it is gone', async () => {
    const entry = await registered();
    const run = ref();
    expect(await mark(entry, run)).toBe('marked');
    expect(await begin(ref(), entry.id)).toBe('BeingRemoved');
    const dependent = source(`${entry.name}_next`, { input: entry.id });
    const registering = registry.resources.register([dependent], []).catch((error: unknown) => {
      throw registryError(error);
    });
    await expect(registering).rejects.toMatchObject({ code: 'BeingRemoved' });
    // Names that only begin alike are others.
    const other = source(`${entry.name}0`);
    await registry.resources.register([other], []);
    expect(await begin(ref(), other.id)).toBe('begun');
    await registry.removals.finish(entry, { run, by: 'ada' }, { versions: 0 });
    await registry.resources.register([source(entry.name), dependent], []);
    expect(await begin(ref(), entry.id)).toBe('begun');
  });

  it('belongs to one run; another takes it over only from the one that it was told is closed', async () => {
    const entry = await registered();
    const [first, second] = [ref(), ref()];
    expect(await mark(entry, first)).toBe('marked');
    expect(await mark(entry, first)).toBe('marked');
    expect(await mark(entry, second)).toBe('RemovalRefused');
    await registry.removals.mark(entry, { run: second, by: 'ben' }, first);
    expect(await registry.removals.isWanted(entry.id, first)).toBe(false);
    await expect(
      registry.removals.finish(entry, { run: first, by: 'ada' }, { versions: 0 }),
    ).rejects.toMatchObject({ code: 'StaleToken' });
    await registry.removals.finish(entry, { run: second, by: 'ben' }, { versions: 0 });
    expect(await registry.removals.resultOf(entry.id, second)).toEqual({ versions: 0 });
    expect((await registry.catalog.changes(entry.id)).map(({ by, action }) => [by, action])).toEqual([
      ['ben', 'delete'],
    ]);
  });

  it('and a run that begins at the same time never both go on', async () => {
    for (let round = 0; round < 25; round++) {
      const entry = await registered();
      const outcomes = await Promise.all([mark(entry), begin(ref(), entry.id), begin(ref(), entry.id)]);
      const [marked, ...runs] = outcomes;
      if (marked === 'marked') expect(runs).toEqual(['BeingRemoved', 'BeingRemoved']);
      else expect([marked, runs.includes('begun')]).toEqual(['RemovalRefused', true]);
    }
  });
});

describe('the applies of a resource', () => {
  it('are part of its history', async () => {
    const entry = await registered();
    expect(await registry.catalog.applies(entry.id)).toEqual([]);
    const contract = (resources: readonly Resource[]): Contract => ({
      ...{ format: 1, project: 'shop', pipelines: [], handlers: {}, environments: {} },
      resources,
    });
    const applies = { workflowId: 'apply/shop_dev/x', by: 'ada@host' };
    const theirs = contract([source(entry.name), source('other')]);
    await registry.applies.add({ ...applies, id: 'amazed_volhard', contract: theirs });
    await registry.applies.end('amazed_volhard', 'COMPLETED', []);
    await registry.applies.add({ ...applies, id: 'happy_curie', contract: contract([]) });
    await pool.query(`UPDATE "${schema}".applies SET at = '2026-01-05' WHERE id = 'amazed_volhard'`);
    expect(await registry.catalog.applies(entry.id)).toEqual([
      { at: '2026-01-05T00:00:00Z', by: 'ada@host', apply: 'amazed_volhard', status: 'COMPLETED' },
    ]);
  });
});
