import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { GenerationOptions, Serve, Told } from './messages.js';

/** How long a generation may take to let its running steps checkpoint. */
const GRACE_MS = 12_000;

/** A generation of the project's code, seen from the process that started it. */
export class Generation {
  readonly #child: ChildProcess;
  readonly #began = Date.now();
  #isOver = false;
  /** Resolves once it polls; rejects with why it does not. */
  readonly polls: Promise<Extract<Told, { type: 'polls' }>>;
  /** Resolves once it takes no more work and its port is free. */
  readonly drained: Promise<void>;
  /** Resolves to how it ended. */
  readonly ended: Promise<string>;

  constructor(options: GenerationOptions, env: NodeJS.ProcessEnv, hear: (message: Told) => void) {
    const child = fork(
      fileURLToPath(new URL('./generation.js', import.meta.url)),
      [JSON.stringify(options)],
      {
        // See granary.cjs. Source maps are for the stacks of the user's own code.
        env: { ...env, UV_THREADPOOL_SIZE: env['UV_THREADPOOL_SIZE'] ?? '16' },
        // A terminal's Ctrl-C is for the process in front, which stops this one in its turn.
        detached: true,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    this.#child = child;
    this.ended = new Promise((resolve) => {
      // Each message that it can no longer be sent is one.
      child.on('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `code ${code ?? '?'}`));
    });
    void this.ended.then(() => (this.#isOver = true));
    const heard = <K extends Told['type']>(type: K): Promise<Extract<Told, { type: K }>> =>
      new Promise((resolve) =>
        child.on('message', (message: Told) => {
          if (message.type === type) resolve(message as Extract<Told, { type: K }>);
        }),
      );
    child.on('message', hear);
    this.drained = Promise.race([heard('drained'), this.ended]).then(() => undefined);
    const failed = heard('failed');
    this.polls = Promise.race([
      heard('polls'),
      failed.then(({ message }) => Promise.reject(new Error(message))),
      this.ended.then(async (how) => {
        // Why it failed may arrive after its end.
        const why = await Promise.race([failed, sleep(100)]);
        throw new Error(why?.message ?? `it ended with ${how}`);
      }),
    ]);
    this.polls.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** For how long it has run, in milliseconds. */
  get age(): number {
    return Date.now() - this.#began;
  }

  /** When it began to read the project's files. */
  get began(): number {
    return this.#began;
  }

  serve(port: number): void {
    if (this.#child.connected) this.#child.send({ type: 'serve', port } satisfies Serve);
  }

  /** Lets it end: running steps checkpoint. Kills it when it takes too long, or at once when `now` is aborted. */
  async stop(now?: AbortSignal): Promise<void> {
    if (this.#isOver) return;
    const kill = (): void => void this.#child.kill('SIGKILL');
    this.#child.kill('SIGTERM');
    const late = setTimeout(kill, GRACE_MS);
    if (now?.aborted) kill();
    now?.addEventListener('abort', kill);
    await this.ended;
    clearTimeout(late);
    now?.removeEventListener('abort', kill);
  }
}
