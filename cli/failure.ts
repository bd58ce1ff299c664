import { isGrpcServiceError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { CommanderError, type Command } from 'commander';
import { GranaryError, messageOf, type ErrorCode } from '../definitions/errors.js';
import { paint } from './colors.js';

/** Exit statuses; docs/cli.md has them for people. 130 is that of interrupt.ts. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;
type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What whoever gave the command can put right in it, or in what it reads. */
const USAGE: ReadonlySet<ErrorCode> = new Set([
  'InvalidInput',
  'InvalidInterval',
  'InvalidDefinition',
  'UnknownResource',
  'ConfigurationMissing',
]);
/** Of those, what a run still finds wrong in its input: its first step looks names and intervals up. */
const INPUT: ReadonlySet<ErrorCode> = new Set(['InvalidInput', 'InvalidInterval', 'UnknownResource']);

/** The exit status that an error ends the command with. What a run failed with is a failure, whatever it was. */
export function exitCodeOf({ code, cause }: GranaryError): ExitCode {
  if (cause instanceof ApplicationFailure) return INPUT.has(code) ? EXIT.usage : EXIT.failed;
  if (USAGE.has(code)) return EXIT.usage;
  return code === 'ProviderUnreachable' ? EXIT.unreachable : EXIT.failed;
}

/** gRPC's status codes DEADLINE_EXCEEDED and UNAVAILABLE. */
const AWAY: readonly number[] = [4, 14];

/** A Temporal server that went away in the middle, in Granary's words; other errors as they are. */
export function temporalError(error: unknown): unknown {
  // The client wraps what the transport said.
  const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
  if (!isGrpcServiceError(cause) || !AWAY.includes(cause.code)) return error;
  return new GranaryError(
    'ProviderUnreachable',
    `Temporal does not answer: ${cause.details}. Check that it runs, and TEMPORAL_ADDRESS.`,
    { cause: error },
  );
}

/** Tells an error on stderr, for people or as one JSON object; returns the exit status. */
export function report(error: unknown, program: Command, argv: readonly string[]): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
  const json = wantsJson(argv);
  const known = error instanceof CommanderError ? usageError(error, program, argv) : error;
  const own =
    known instanceof GranaryError ? known : new GranaryError('Internal', messageOf(known), { cause: known });
  const exitCode = exitCodeOf(own);
  if (json)
    process.stderr.write(
      `${JSON.stringify({ error: { code: own.code, message: own.message, details: own.details, exitCode } })}\n`,
    );
  else if (!(error instanceof CommanderError && error.code === 'commander.help')) {
    const name = paint('red', 'granary:', process.stderr);
    // Where in the code it came from helps whoever reports an unforeseen error.
    const text = own === known ? own.message : (known instanceof Error && known.stack) || own.message;
    process.stderr.write(`${name} ${text} [${own.code}]\n`);
  }
  return exitCode;
}

/** Whether an argument list asks for JSON. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? undefined : end).includes('--json');
}

/** Commander's words about a wrong command line, with what to look at. */
function usageError(error: CommanderError, program: Command, argv: readonly string[]): GranaryError {
  const names = commandOf(program, argv);
  const help = `See: ${names} --help`;
  if (error.code === 'commander.help')
    return new GranaryError('InvalidInput', `${names} needs a command. ${help}`);
  const said = error.message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (one of )?(.*)\?\)$/, (_, some: string | undefined, near: string) =>
      some === undefined ? `. Did you mean ${near}?` : `. Did you mean one of ${near}?`,
    );
  return new GranaryError('InvalidInput', `${said}${/[.?!]$/.test(said) ? '' : '.'} ${help}`);
}

/** The deepest command that the arguments name: `granary runs list`. */
function commandOf(program: Command, argv: readonly string[]): string {
  let command = program;
  const names = [program.name()];
  for (const word of argv) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (!next) continue;
    command = next;
    names.push(next.name());
  }
  return names.join(' ');
}
