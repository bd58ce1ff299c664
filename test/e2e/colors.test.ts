import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shop } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';

/** Colours in what the shipped command writes, by where it goes and what the environment wants. */
let world: World;
let env: Record<string, string>;
beforeAll(async () => {
  world = await createWorld();
  const name = `k${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const { project } = await shop(name, folder);
  env = { SHOP_NAME: name, SHOP_FOLDER: folder };
  await world.withWorker(project, async (client) => {
    await (await client.run('shop_daily', { date: '2026-01-02' })).result();
  });
});
afterAll(() => world[Symbol.asyncDispose]());

/** util-linux' way to give a command a terminal. */
const canHaveTerminal = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0;

const FILE = '--project test/fixtures/shop-project.ts';
const COMMANDS = {
  'the help': 'runs --help',
  'a table': `runs show last ${FILE}`,
  'an error': 'runs lst',
  JSON: `runs list --json ${FILE}`,
} as const;

/** All that a command writes, in a pipe or on a terminal. */
function written(
  words: string,
  colors: Readonly<Record<string, string>>,
  terminal: boolean,
): Promise<string> {
  const line = `${process.execPath} cli/granary.cjs ${words}`;
  const [program, args] = terminal ? ['script', ['-qec', line, '/dev/null']] : ['sh', ['-c', line]];
  return new Promise((resolve) => {
    execFile(
      program as string,
      args as string[],
      { env: { ...process.env, ...env, TERM: 'xterm-256color', ...colors } },
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`),
    );
  });
}

const COLOR = /\x1b\[[\d;]*m/;

interface Case {
  readonly to: 'a pipe' | 'a terminal';
  readonly colors: Readonly<Record<string, string>>;
  readonly colored: boolean;
}
const CASES: readonly Case[] = [
  { to: 'a pipe', colors: {}, colored: false },
  { to: 'a pipe', colors: { FORCE_COLOR: '1' }, colored: true },
  { to: 'a pipe', colors: { FORCE_COLOR: '0' }, colored: false },
  { to: 'a pipe', colors: { FORCE_COLOR: '1', NO_COLOR: '1' }, colored: false },
  { to: 'a terminal', colors: {}, colored: true },
  { to: 'a terminal', colors: { NO_COLOR: '1' }, colored: false },
  { to: 'a terminal', colors: { FORCE_COLOR: '0' }, colored: false },
];

describe.each(CASES)('with $colors, written to $to', ({ to, colors, colored }) => {
  it.skipIf(to === 'a terminal' && !canHaveTerminal)(
    `help, tables and errors are ${colored ? '' : 'not '}coloured, JSON never`,
    async () => {
      for (const [what, words] of Object.entries(COMMANDS)) {
        const text = await written(words, colors, to === 'a terminal');
        expect(text.length, what).toBeGreaterThan(50);
        expect(COLOR.test(text), `${what}:\n${text}`).toBe(colored && what !== 'JSON');
        expect(text, what).not.toMatch(/Warning/);
      }
    },
    120_000,
  );
});

it.skipIf(!canHaveTerminal)(
  'an error is red where stderr is a terminal and stdout is none',
  async () => {
    expect(await written('runs lst > /dev/null', {}, true)).toMatch(COLOR);
    expect(await written('runs lst 2>&1 > /dev/null | cat', {}, true)).not.toMatch(COLOR);
  },
  60_000,
);
