import type { Command } from 'commander';

/** Which project and environment a command works on. */
export interface ProjectFlags {
  readonly project: string;
  readonly env?: string;
}

/** Adds `--env`. */
export const withEnvironment = (command: Command): Command =>
  command.option('-e, --env <name>', 'the environment (default: GRANARY_ENV, then dev, then the only one)');

/** Adds `--project` and `--env`. */
export const withProject = (command: Command): Command =>
  withEnvironment(command.option('-p, --project <file>', 'the file that exports the project', 'granary.ts'));

/** Adds `--task-queue`, for commands that a worker carries out. */
export const withTaskQueue = (command: Command): Command =>
  command.option('--task-queue <name>', "the worker's task queue (default: granary-<project>-<environment>)");
