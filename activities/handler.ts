import type { BuildContext, BuildFunction, BuildInput } from '../definitions/built-source.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import type { FileRelation, OfflineSession, TableWriter } from '../providers/offline/provider.js';
import { rowsOf } from '../providers/rows.js';

/**
 * Runs a TypeScript build: hands it its inputs and appends what it yields.
 * @throws GranaryError `BuildFailed` (retryable) when the build's own code throws.
 */
export async function runHandler(
  name: string,
  handler: BuildFunction,
  session: OfflineSession,
  writer: TableWriter,
  inputs: Readonly<Record<string, FileRelation>>,
  context: Pick<BuildContext, 'interval' | 'checkpoint' | 'signal'>,
): Promise<void> {
  const handles = Object.entries(inputs).map(([alias, relation]): [string, BuildInput] => [
    alias,
    { rows: () => rowsOf(session.read(relation), relation.schema) },
  ]);
  try {
    for await (const item of untilAborted(
      handler({ ...context, inputs: Object.fromEntries(handles) }),
      context.signal,
    )) {
      await writer.append(isBatch(item) ? item : [item as Record<string, unknown>]);
    }
  } catch (error) {
    if (error instanceof GranaryError || context.signal.aborted) throw error;
    throw new GranaryError('BuildFailed', `The build of ${name} threw: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** A build may await something without looking at its signal: its end must not be waited for. */
async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => undefined);
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    void iterator.return?.().catch(() => undefined);
  }
}

/** Arrays of rows and Arrow's batches are handed on whole. */
function isBatch(item: unknown): item is Parameters<TableWriter['append']>[0] {
  return (
    Array.isArray(item) ||
    (typeof item === 'object' && item !== null && 'numRows' in item && 'schema' in item)
  );
}
