/** Commands that run until they are told to stop, and then stop in their own way. */
const OWN_WAY: ReadonlySet<string> = new Set(['worker', 'serve', 'dev']);

/** The exit status of a command that was interrupted: 128 and the signal's number, as in shells. */
export const INTERRUPTED = 130;

let left: string | undefined;

/** While a command waits for work that goes on without it: what Ctrl-C says. */
export function whileWaiting(text: string): Disposable {
  left = text;
  return {
    [Symbol.dispose]() {
      left = undefined;
    },
  };
}

/** Ends the command with status 130 on Ctrl-C, and says what goes on without it. */
export function endOnInterrupt(command: string): void {
  if (OWN_WAY.has(command)) return;
  process.once('SIGINT', () => {
    process.stderr.write(left === undefined ? '\n' : `\ngranary: ${left}\n`);
    process.exit(INTERRUPTED);
  });
}
