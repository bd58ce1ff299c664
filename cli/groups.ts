import type { Command } from 'commander';

/** The commands by what they are for, in the order of `granary --help` and of docs/cli.md. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Getting started': ['init', 'dev', 'test', 'doctor', 'version'],
  Definitions: ['apply', 'status', 'compile', 'provider', 'promote', 'tag', 'delete'],
  Running: ['worker', 'run', 'runs', 'plan', 'schedule', 'backfill', 'materialize', 'verify', 'rollback'],
  Looking: ['list', 'get', 'describe', 'search', 'lineage', 'history', 'versions', 'preview'],
  Reading: ['training-set', 'features', 'serve', 'feast', 'model'],
};

/** Puts each command into its group of the help, in the order of the groups. */
export function groupCommands(program: Command): void {
  const order = Object.values(GROUPS).flat();
  const place = (command: Command): number => {
    const at = order.indexOf(command.name());
    return at < 0 ? order.length : at;
  };
  // The help shows groups as their first commands come.
  (program.commands as Command[]).sort((a, b) => place(a) - place(b));
  for (const [title, names] of Object.entries(GROUPS))
    for (const name of names) program.commands.find((one) => one.name() === name)?.helpGroup(`${title}:`);
}

/** What a list of commands says of one: the first sentence of its description. */
export const summaryOf = (command: Command): string =>
  /^.*?[.](?= |$)/s.exec(command.description())?.[0] ?? command.description();
