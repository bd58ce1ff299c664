import { CancellationScope, condition, defineSignal, setHandler } from '@temporalio/workflow';
import type { BegunBackfill } from '../activities/messages.js';
import { quick } from './profiles.js';

/** Lets the intervals in flight end and begins no other; who asks for it, `user@host`. */
export const pauseSignal = defineSignal<[by?: string]>('pause');
export const resumeSignal = defineSignal<[by?: string]>('resume');

/** Who has paused the backfill, by its signals; each change is noted in the registry, in the order of the signals. */
export function pauses() {
  let by: string | undefined;
  let begun: BegunBackfill | undefined;
  let isNoted = true;
  let noting: Promise<void> | undefined;
  const note = async (): Promise<void> => {
    await condition(() => begun !== undefined);
    while (!isNoted && begun) {
      isNoted = true;
      await quick(begun, by === undefined ? 'resume' : 'pause').pauseBackfill({
        name: begun.name,
        ...(by === undefined ? {} : { by }),
      });
    }
    noting = undefined;
  };
  const change = async (to: string | undefined): Promise<void> => {
    by = to;
    isNoted = false;
    await CancellationScope.nonCancellable(() => (noting ??= note()));
  };
  setHandler(pauseSignal, (who?: string) => change(who ?? 'Temporal UI'));
  setHandler(resumeSignal, () => change(undefined));
  return {
    by: (): string | undefined => by,
    /** What runs before this one knew holds until a signal says else. */
    begin(known: BegunBackfill): void {
      if (isNoted) by = known.pausedBy;
      begun = known;
    },
  };
}
