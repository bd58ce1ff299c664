import { vi } from 'vitest';
import { report } from '../../cli/failure.js';
import { program } from '../../cli/main.js';
import type { CommandOutcome } from './granary-command.js';

/** Runs a command within this process: what it says and how it would end, without a second of starting Node. One at a time. */
export async function commandHere(
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<CommandOutcome> {
  const said = { stdout: '', stderr: '' };
  const capture = (to: keyof typeof said) => (text: unknown) => {
    said[to] += String(text);
    return true;
  };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(capture('stdout')),
    vi.spyOn(process.stderr, 'write').mockImplementation(capture('stderr')),
    // What ends a command by a signal is the process' own.
    vi.spyOn(process, 'once').mockReturnThis(),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await program.parseAsync(args, { from: 'user' });
    return { ...said, status: Number(process.exitCode ?? 0) };
  } catch (error) {
    const status = report(error, program, args);
    return { ...said, status };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
    process.exitCode = before;
  }
}
