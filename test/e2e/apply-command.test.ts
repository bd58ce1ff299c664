import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Project } from '../../definitions/index.js';
import { applied } from '../fixtures/applied.js';
import { writeSales } from '../fixtures/shop.js';
import { granary, type CommandOutcome } from '../support/granary-command.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const FILE = 'test/fixtures/applied-project.ts';

interface Place {
  readonly project: Project;
  readonly folder: string;
  command(...args: string[]): Promise<CommandOutcome>;
  with(env: Readonly<Record<string, string>>, ...args: string[]): Promise<CommandOutcome>;
}

async function place(): Promise<Place> {
  const name = `c${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await writeSales(folder);
  const env = { APPLIED_NAME: name, APPLIED_FOLDER: folder };
  const project = applied(name, folder);
  world.uses(project);
  return {
    project,
    folder,
    command: (...args) => granary(env, ...args),
    with: (more, ...args) => granary({ ...env, ...more }, ...args),
  };
}

/** The two words of a run differ from run to run. */
const golden = (text: string, { project }: Place): string =>
  text.replaceAll(/Run: [a-z]+_[a-z]+/g, 'Run: <run>').replaceAll(project.name, '<project>');

const TABLE = ` Resource Type         Name (Variant)                    Status    Error
 Provider              lake ()                           READY
 Provider              raw ()                            READY
 SourceVariant         sales (demo)                      READY
 Transformation        averages (demo)                   READY
 Entity                user ()                           READY
 Provider              online ()                         READY
 FeatureVariant        spending (demo)                   READY
 LabelVariant          amount (demo)                     READY
 TrainingSetVariant    spending_training (demo)          READY
`;

/** Lines below the head in alphabetical order: which of two independent definitions comes first says nothing. */
const sorted = (text: string): string[] => text.trimEnd().split('\n').sort();

describe('granary apply', () => {
  it('shows the plan, then what it creates, then the table; status shows the table again, elsewhere', async () => {
    const at = await place();
    await world.withWorker(at.project, async () => {
      const done = await at.command('apply', FILE);
      expect(done).toMatchObject({ status: 0, stderr: '' });
      const [plan = '', rest = ''] = golden(done.stdout, at).split(/^(?=Applying Run)/m);
      expect(plan).toMatch(/^Plan for <project> in dev: 9 new, 0 unchanged, 0 refused\n/);
      expect(sorted(plan.replace(/^.*\n/, ''))).toEqual([
        '  + entity user',
        '  + feature spending (demo)',
        '  + label amount (demo)',
        '  + provider lake',
        '  + provider online',
        '  + provider raw',
        '  + source averages (demo)',
        '  + source sales (demo)',
        '  + training-set spending_training (demo)',
        expect.stringMatching(
          /^ {2}> makes source averages \(demo\), feature spending \(demo\), training-set/,
        ),
      ]);
      const [before = '', table = ''] = rest.split(/^COMPLETED\n/m);
      expect(before.startsWith('Applying Run: <run>\nCreating ')).toBe(true);
      expect(sorted(before)).toEqual([
        'Applying Run: <run>',
        'Creating entity user',
        'Creating feature spending demo',
        'Creating label amount demo',
        'Creating provider lake',
        'Creating provider online',
        'Creating provider raw',
        'Creating source averages demo',
        'Creating source sales demo',
        'Creating training-set spending_training demo',
      ]);
      expect(table.split('\n')[0]).toBe(TABLE.split('\n')[0]);
      expect(sorted(table)).toEqual(sorted(TABLE));

      const run = /Applying Run: (\w+)/.exec(done.stdout)?.[1] ?? '';
      const status = await at.command('status', run, '--project', FILE);
      expect(status).toEqual({ status: 0, stderr: '', stdout: `COMPLETED\n${table}` });
      const json = await at.command('status', run, '--project', FILE, '--json');
      expect(JSON.parse(json.stdout)).toMatchObject({
        run,
        status: 'COMPLETED',
        workflowId: `apply/${at.project.name}_dev/${run}`,
      });

      const again = await at.command('apply', FILE, '--dry-run');
      expect(golden(again.stdout, at)).toBe(
        'Plan for <project> in dev: 0 new, 9 unchanged, 0 refused\n  nothing to make\n',
      );
      const changed = await at.with({ APPLIED_AGGREGATE: 'max' }, 'apply', FILE);
      expect(changed).toMatchObject({ status: 1 });
      expect(changed.stderr).toMatch(
        /^granary: SOURCE_VARIANT averages \(demo\) has changed\. Please use a new variant\.\n {2}build\.sql: .* \[ResourceChanged\]\n$/,
      );
      expect(changed.stdout).not.toMatch(/Applying Run/);
    });
  });

  it('ends with status 1 and the errors in the table when something failed; --json holds the same', async () => {
    const at = await place();
    await rm(join(at.folder, 'raw', 'sales.parquet'));
    await world.withWorker(at.project, async () => {
      const failed = await at.command('apply', FILE);
      expect(failed.status).toBe(1);
      expect(failed.stdout).toMatch(/^FAILED\n Resource Type/m);
      expect(failed.stdout).toMatch(
        /^ SourceVariant +sales \(demo\) +FAILED +.*sales\.parquet does not exist/m,
      );
      expect(failed.stdout).toMatch(
        /^ TrainingSetVariant +spending_training \(demo\) +FAILED +not made, because source sales \(demo\) failed$/m,
      );
      await writeSales(at.folder);
      const json = await at.command('apply', FILE, '--json');
      expect(json.status).toBe(0);
      const state = JSON.parse(json.stdout) as { status: string; resources: { status: string }[] };
      expect(state.status).toBe('COMPLETED');
      expect(state.resources.every(({ status }) => status === 'READY')).toBe(true);
    });
  });

  it('takes a contract of granary compile in place of the file; applied, it changes nothing', async () => {
    const at = await place();
    const contract = join(at.folder, 'granary.json');
    expect(await at.command('compile', FILE, '-o', contract)).toMatchObject({ status: 0, stdout: '' });
    const first = await readFile(contract, 'utf8');
    expect((await at.command('compile', FILE)).stdout).toBe(first);
    expect(first).toContain('"url":{"env":"REDIS_URL"}');
    expect(first).not.toContain(process.env['REDIS_URL']);
    await world.withWorker(at.project, async () => {
      expect((await at.command('apply', FILE)).status).toBe(0);
      const plan = await at.command('apply', contract, '--dry-run');
      expect(golden(plan.stdout, at)).toBe(
        'Plan for <project> in dev: 0 new, 9 unchanged, 0 refused\n  nothing to make\n',
      );
      expect((await at.command('apply', contract)).status).toBe(0);
    });
    await writeFile(contract, first.replace('avg(amount)', 'max(amount)'));
    expect(await at.command('apply', contract)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/granary\.json was edited: the fingerprint of source\/averages\.demo/),
    });
  });

  it('starts and leaves with --detach, says that no worker polls, and knows which runs there are', async () => {
    const at = await place();
    const alone = await at.command('apply', FILE);
    expect(alone.status).toBe(3);
    expect(alone.stderr).toMatch(/No worker polls the task queue granary-c\w+-dev.*\[ProviderUnreachable\]/);
    await world.withWorker(at.project, async (client) => {
      const { stdout, status } = await at.command('apply', FILE, '--detach');
      expect(status).toBe(0);
      const run = /Applying Run: (\w+)/.exec(stdout)?.[1] ?? '';
      expect(stdout).toContain(`granary status ${run} --project ${FILE}`);
      expect((await client.applyStatus(run)).run).toBe(run);
      const wrong = await at.command('status', `${run}x`, '--project', FILE);
      expect(wrong).toMatchObject({ status: 2, stdout: '' });
      expect(wrong.stderr).toBe(
        `granary: There is no apply "${run}x". Did you mean "${run}"? [UnknownResource]\n`,
      );
      // The worker must not leave it half done.
      await world.temporal.workflow.getHandle(`apply/${at.project.name}_dev/${run}`).result();
    });
  });
});

describe('granary status', () => {
  it('says in words that the registry does not answer', async () => {
    const at = await place();
    const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
    const { status, stdout, stderr } = await at.with(away, 'status', 'amazed_volhard', '--project', FILE);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toMatch(
      /^granary: The registry's Postgres at \S+ does not answer \(ECONNREFUSED\)\. .* \[ProviderUnreachable\]\n$/,
    );
  });
});

describe('granary provider check', () => {
  it('says of each provider whether it is well, and ends with status 1 when one is not', async () => {
    const at = await place();
    const well = await at.command('provider', 'check', '--project', FILE);
    expect(well.status).toBe(0);
    expect(well.stdout.trimEnd().split('\n').sort()).toEqual([
      expect.stringMatching(/^lake {4}healthy \(\d+ ms\)$/),
      expect.stringMatching(/^online {2}healthy \(\d+ ms\)$/),
      expect.stringMatching(/^raw {5}healthy \(\d+ ms\)$/),
    ]);
    const ill = await at.with(
      { APPLIED_ONLINE: 'redis://127.0.0.1:1' },
      'provider',
      'check',
      'online',
      '--json',
      '--project',
      FILE,
    );
    expect(ill.status).toBe(1);
    expect(JSON.parse(ill.stdout)).toMatchObject([
      {
        name: 'online',
        healthy: false,
        code: 'ProviderUnreachable',
        error: expect.stringMatching(
          /^Granary cannot connect to the provider during health check: \(REDIS_ONLINE - client_initialization\)/,
        ),
      },
    ]);
    const unknown = await at.command('provider', 'check', 'onlin', '--project', FILE);
    expect(unknown.stderr).toBe(
      'granary: The project has no provider "onlin". Did you mean "online"? [UnknownResource]\n',
    );
  });
});
