import { readdir, readFile } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { GROUPS } from '../../cli/groups.js';
import { program } from '../../cli/main.js';
import { expectGolden, GOLDEN } from '../support/golden.js';

/** A command with the words that call it. */
interface Named {
  readonly words: string;
  readonly command: Command;
}

const under = (command: Command, words: string): Named[] => [
  { words, command },
  ...command.commands.flatMap((one) => under(one, `${words} ${one.name()}`)),
];
const all = under(program, 'granary');
/** Those that do something, also where they have commands below them. */
const leaves = all.filter(
  ({ command }) => command.commands.length === 0 || command.registeredArguments.length > 0,
);

/** What a command says with --help, without colours. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part), getOutHelpWidth: () => 100 });
  command.outputHelp();
  return stripVTControlCharacters(text);
}

/** Commands that take no --env, and why. */
const WITHOUT_ENV: Readonly<Record<string, string>> = {
  'granary compile': 'a contract holds all environments',
  'granary init': 'there is no project yet',
  'granary test': 'rows of the tests take the place of an environment',
};
/** Commands that take no --json, and why. */
const WITHOUT_JSON: Readonly<Record<string, string>> = {
  'granary compile': 'what it prints is JSON',
  'granary init': 'it makes files, and says to a person what comes next',
  'granary dev': 'it runs until it is stopped, and shows what several processes say',
};

describe('every command', () => {
  it.each(all)(
    '$words says what it does, and shows an example that begins with it',
    async ({ words, command }) => {
      expect(command.description()).toMatch(/^[A-Z].*\.$/s);
      const help = helpOf(command);
      expect(help).toMatch(/\nExamples?:\n/);
      const examples = (help.split(/\nExamples?:\n/)[1] ?? '')
        .split('\n')
        .filter((line) => line.startsWith('  '));
      expect(examples.filter((line) => line.includes(words)).length).toBeGreaterThan(0);
      await expectGolden(`help-${words.replaceAll(' ', '-')}`, help);
    },
  );

  it.each(leaves)('$words takes --env and --json, or is known not to', ({ words, command }) => {
    const flags = new Set(command.options.map(({ long }) => long));
    expect(flags.has('--env'), `${words} takes --env`).toBe(!(words in WITHOUT_ENV));
    expect(flags.has('--json'), `${words} takes --json`).toBe(!(words in WITHOUT_JSON));
  });

  it('has a place among the groups of the help, and a line in docs/cli.md', async () => {
    const grouped = Object.values(GROUPS).flat();
    expect(
      program.commands.map((command) => command.name()).filter((name) => !grouped.includes(name)),
    ).toEqual([]);
    const text = await readFile('docs/cli.md', 'utf8');
    const listed = [...text.matchAll(/^\| `(granary [a-z -]+?)(?: [[<].*?)?` \|/gm)].map(
      ([, words]) => words,
    );
    expect(listed.sort()).toEqual(leaves.map(({ words }) => words).sort());
  });

  it('has the only help files that lie among the expected ones', async () => {
    const files = (await readdir(GOLDEN)).filter((name) => name.startsWith('help-'));
    expect(files.sort()).toEqual(all.map(({ words }) => `help-${words.replaceAll(' ', '-')}.txt`).sort());
  });
});
