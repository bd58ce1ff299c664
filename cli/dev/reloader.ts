import { dirname, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Generation } from './child.js';
import type { GenerationOptions, Told } from './messages.js';
import { Watch } from './watch.js';

/** Editors save in several steps, and people several files. */
const SETTLE_MS = 120;
/** A worker that ends sooner than this would end again. */
const LASTING_MS = 10_000;

export interface ReloaderOptions extends GenerationOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly port: number;
  readonly say: (part: string, text: string) => void;
  /** Hears what the generation in charge tells. */
  readonly hear: (message: Told) => void;
}

/** Keeps one generation of the project's code at work: a new one takes over only once it is able to. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #watch: Watch;
  #current: Generation | undefined;
  #next: Generation | undefined;
  /** Those that let their running steps checkpoint. */
  readonly #ending = new Set<Generation>();
  #port: number;
  #stopped = false;
  #change = deferred();
  #changedFile = '';

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#watch = new Watch((file) => this.#changed(file));
  }

  /** Runs until it is stopped. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#change = deferred();
      await this.#startNext();
      await this.#change.promise;
      if (this.#stopped) break;
      await sleep(SETTLE_MS);
      this.#options.say('reload', `${relative('.', this.#changedFile)} changed`);
    }
  }

  /** Stops what runs, the HTTP server first; at once when `now` is aborted. */
  async stop(now: AbortSignal): Promise<void> {
    this.#stopped = true;
    this.#watch.close();
    this.#change.resolve();
    const all = [this.#next, this.#current, ...this.#ending].filter((each) => each !== undefined);
    await Promise.all(all.map((each) => each.stop(now)));
  }

  #end(generation: Generation): void {
    this.#ending.add(generation);
    void generation.stop().then(() => this.#ending.delete(generation));
  }

  #changed(file: string): void {
    this.#changedFile = file;
    this.#change.resolve();
  }

  /** Starts a generation and, if it comes to poll before the files change again, puts it in the place of the one before. */
  async #startNext(): Promise<void> {
    const { say } = this.#options;
    const next: Generation = new Generation(this.#options, this.#options.env, (message) =>
      this.#heard(next, message),
    );
    this.#next = next;
    const outcome = await Promise.race([
      next.polls.then(
        (polls) => ({ polls }),
        (error: unknown) => ({ error }),
      ),
      this.#change.promise.then(() => undefined),
    ]);
    this.#next = undefined;
    if (!outcome || this.#stopped) return this.#end(next);
    if ('error' in outcome) {
      say('reload', (outcome.error as Error).message);
      say(
        'reload',
        this.#current
          ? 'the worker before goes on; save again once it is right'
          : 'nothing runs yet; save again once it is right',
      );
      return this.#end(next);
    }
    const before = this.#current;
    this.#current = next;
    const seconds = (next.age / 1000).toFixed(1);
    if (before) this.#end(before);
    await before?.drained;
    say(
      'worker',
      `polls ${outcome.polls.taskQueue}, ${seconds} s${before ? '; the one before has stopped' : ''}`,
    );
    this.#options.hear(outcome.polls);
    void next.ended.then((how) => this.#endedAlone(next, how));
    next.serve(this.#port);
  }

  #endedAlone(generation: Generation, how: string): void {
    if (this.#stopped || this.#current !== generation) return;
    this.#current = undefined;
    const again = generation.age > LASTING_MS;
    this.#options.say(
      'worker',
      `ended by itself (${how}); ${again ? 'is started again' : 'save a file to start it again'}`,
    );
    if (again) this.#changed(this.#options.project);
  }

  #heard(generation: Generation, message: Told): void {
    if (message.type === 'files') {
      // A missing file may come: its folder tells.
      const folders = [...new Set(message.files.map((file) => dirname(file)))];
      this.#watch.set(message.files, generation.began);
      void generation.polls.catch(() => {
        if (this.#next === generation || this.#next === undefined)
          this.#watch.set([...message.files, ...folders], Date.now());
      });
    }
    if (message.type === 'says') this.#options.say(message.part, message.text);
    if (message.type === 'serves') this.#port = Number(new URL(message.url).port);
    if (message.type === 'serves' || message.type === 'applied') this.#options.hear(message);
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
