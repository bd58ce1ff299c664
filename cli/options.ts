import type { Command } from 'commander';

/** Which project and environment a command works on. */
export interface ProjectFlags {
  readonly project: string;
  readonly env?: string;
}

/** Adds `--json`. */
export const withJson = (command: Command, what = 'one JSON object instead of text'): Command =>
  command.option('--json', what);

/** The flags with which another command finds the same project and environment. */
export const sameProject = ({ project, env }: Partial<ProjectFlags>): string =>
  [
    ...(project === undefined || project === DEFAULT_FILE ? [] : [` --project ${project}`]),
    ...(env === undefined ? [] : [` --env ${env}`]),
  ].join('');

const DEFAULT_FILE = 'granary.ts';

/** Adds `--env`. */
export const withEnvironment = (command: Command): Command =>
  command.option('-e, --env <name>', 'the environment (default: GRANARY_ENV, then dev, then the only one)');

/** Adds `--project` and `--env`. */
export const withProject = (command: Command): Command =>
  withEnvironment(command.option('-p, --project <file>', 'the file that exports the project', DEFAULT_FILE));

/** Adds `--task-queue`, for commands that a worker carries out. */
export const withTaskQueue = (command: Command): Command =>
  command.option('--task-queue <name>', "the worker's task queue (default: granary-<project>-<environment>)");
