const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How often it is looked whether npm, which started this process in a shell, is still there. */
const LOOK_MS = 300;

/**
 * Signals that say when to stop: `stop` at the first SIGINT, SIGTERM or SIGHUP (a terminal that closes), `now` at the second one.
 */
export function untilStopped(told: (signal: string) => void): {
  readonly stop: AbortSignal;
  readonly now: AbortSignal;
} {
  const stop = new AbortController();
  const now = new AbortController();
  const received = (signal: string): void => {
    if (stop.signal.aborted) return now.abort();
    told(signal);
    stop.abort();
  };
  for (const signal of SIGNALS) process.on(signal, received);
  // A terminal that is gone takes no more lines.
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => undefined);
  whenNpmEnds(() => received('npm has ended'));
  return { stop: stop.signal, now: now.signal };
}

/** npm runs a command in a shell, and a signal that is sent to npm alone ends that shell without reaching the command. */
function whenNpmEnds(ended: () => void): void {
  if (!process.env['npm_lifecycle_event'] && !process.env['npm_command']) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    ended();
  }, LOOK_MS).unref();
}
