import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplyState, GranaryClient } from '../../client/index.js';
import { compile, redisStore, type Project } from '../../definitions/index.js';
import { contractOf, contractText, parseContract } from '../../definitions/contract-file.js';
import { applied, type AppliedOptions } from '../fixtures/applied.js';
import { shop, writeSales } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `a${randomBytes(5).toString('hex')}`;

/** A project in a folder of its own, with sales. */
const made = async (
  options: AppliedOptions = {},
): Promise<{ name: string; folder: string; project: Project }> => {
  const name = unique();
  const folder = join(world.folder, name);
  await writeSales(folder);
  return { name, folder, project: applied(name, folder, options) };
};

const applyAll = async (client: GranaryClient): Promise<ApplyState> => (await client.apply()).result();

const statuses = (state: ApplyState): string[] =>
  state.resources.map(
    ({ type, name, variant, status, error }) =>
      `${type} ${name} (${variant}) ${status}${error === undefined ? '' : `: ${error}`}`,
  );

const ALL_READY = [
  'Entity user () READY',
  'Provider raw () READY',
  'SourceVariant sales (demo) READY',
  'Provider lake () READY',
  'Transformation averages (demo) READY',
  'Provider online () READY',
  'FeatureVariant spending (demo) READY',
  'LabelVariant amount (demo) READY',
  'TrainingSetVariant spending_training (demo) READY',
];

describe('an apply', () => {
  it('registers, makes and loads everything, and a second one has nothing to do', async () => {
    const { project, name } = await made();
    await world.withWorker(project, async (client) => {
      const state = await applyAll(client);
      expect(statuses(state).sort()).toEqual([...ALL_READY].sort());
      expect(state).toMatchObject({ status: 'COMPLETED', error: undefined });
      expect(state.plan?.created).toHaveLength(9);
      expect((await world.online(`${name}_dev`)).size).toBe(3);
      const again = await applyAll(client);
      expect(again).toMatchObject({ status: 'COMPLETED', plan: { created: [], runs: [] } });
      expect(again.run).not.toBe(state.run);
      expect(again.resources.every(({ status }) => status === 'READY')).toBe(true);
      expect(await world.registry(project, `SELECT count(*)::int AS n FROM {schema}.datasets`)).toEqual([
        { n: 2 },
      ]);
    });
  });
});
