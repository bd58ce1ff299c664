import type { Command } from 'commander';
import { runningSession } from './dev/session.js';

/**
 * Lets commands find the servers of a `granary dev` that runs in the same folder: where they work on its environment, and no variable leads elsewhere.
 */
export function useDevServers(program: Command): void {
  program.hook('preAction', (_, command) => {
    if (command.name() === 'dev') return;
    const session = runningSession();
    if (!session) return;
    const asked = command.opts<{ readonly env?: string }>().env ?? process.env['GRANARY_ENV'];
    if ((asked || 'dev') !== session.environment) return;
    const known = Object.entries(session.variables);
    if (known.some(([name, value]) => (process.env[name] ?? value) !== value)) return;
    Object.assign(process.env, session.variables);
  });
}
