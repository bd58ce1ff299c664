/** What a generation of the project's code (generation.ts) is told when it is started. */
export interface GenerationOptions {
  readonly project: string;
  readonly environment?: string;
  /** The bundled workflows. */
  readonly bundle: string;
}

/** What it is told later: that the generation before has stopped, so that the feature server may listen and definitions be applied. */
export interface Serve {
  readonly type: 'serve';
  /** Where the one before listened, or would have. */
  readonly port: number;
}

/** What it tells. */
export type Told =
  /** The project's file and what it imports, also when it cannot be run. */
  | { readonly type: 'files'; readonly files: readonly string[] }
  | {
      readonly type: 'polls';
      readonly project: string;
      readonly environment: string;
      readonly taskQueue: string;
    }
  | { readonly type: 'serves'; readonly url: string }
  /** The apply has ended, well or badly. */
  | { readonly type: 'applied' }
  /** It takes no more work and listens nowhere; what is under way checkpoints and ends. */
  | { readonly type: 'drained' }
  | { readonly type: 'says'; readonly part: string; readonly text: string }
  | { readonly type: 'failed'; readonly message: string };
