import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { CompiledProject } from '../definitions/compile.js';
import { GranaryError } from '../definitions/errors.js';
import { durationMicros } from '../definitions/interval.js';
import type { Project, Scope } from '../definitions/project.js';
import type { BoundProviders } from '../providers/bind.js';
import type { OfflineProvider, OfflineSession } from '../providers/offline/provider.js';
import type { TableSession } from '../providers/offline/table-provider.js';
import type { Registry } from '../registry/registry.js';
import type { SearchAttributes } from './search-attributes.js';
import { PRIORITIES } from '../definitions/priorities.js';
import type { Slots } from './slots.js';
import type { Attempt } from './step.js';

/** What one machine lends to heavy steps. */
export interface Budget {
  /** Heavy steps at a time; default 2. */
  readonly heavySlots: number;
  /** Memory of all heavy steps together, in MiB. */
  readonly memoryMiB: number;
  /** Threads of one engine. */
  readonly threads: number;
}

/** Sizes of an online load. */
export interface LoadSizes {
  /** Entities a shard; shards load side by side. */
  readonly rowsPerShard: number;
  /** Rows between two checkpoints. */
  readonly rowsPerGroup: number;
}

/** Everything activities work with; made once a worker. */
export interface Runtime {
  readonly scope: Scope;
  /** What this worker was deployed with. Once something was applied, the registry's definitions count. */
  readonly project: CompiledProject;
  readonly environments: Project['environments'];
  readonly registry: Registry;
  readonly providers: BoundProviders;
  readonly offline: OfflineProvider;
  readonly budget: Budget;
  readonly load: LoadSizes;
  /** How long a worker may be silent before its activities are tried elsewhere; ends up in the workflow's options. */
  readonly heartbeatTimeout: string;
  readonly slots: Slots;
  /** Whether the server has Granary's search attributes. */
  readonly searchAttributes: SearchAttributes;
  /** The folder of this process for files in the making. */
  readonly scratch: string;
}

/** What the machine is lent for: its name in messages, and the longest that one attempt may take. */
interface Work {
  readonly step: { readonly name: string };
  /** Duration text. */
  readonly timeout?: string;
}

/**
 * Runs a heavy step of DuckDB: waits for a slot, gives it an engine and a folder of its own, and cleans both up. What it is handed as
 * `at` carries a signal that the step's time limit aborts as well.
 * @throws GranaryError `TimedOut` (retryable) at the limit.
 */
export async function withEngine<T>(
  runtime: Runtime,
  request: Work,
  attempt: Attempt,
  work: (session: OfflineSession, folder: string, at: Attempt) => Promise<T>,
): Promise<T> {
  return await inSlot(runtime, request, attempt, async (at) => {
    const folder = await mkdtemp(join(runtime.scratch, 'step-'));
    try {
      const session = await runtime.offline.open({
        scratch: join(folder, 'spill'),
        memoryLimit: `${Math.max(64, Math.floor(runtime.budget.memoryMiB / runtime.budget.heavySlots))}MiB`,
        threads: runtime.budget.threads,
        signal: at.signal,
      });
      try {
        return await work(session, folder, at);
      } finally {
        await session.close();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** Runs a heavy step in a database: as {@link withEngine}, with a connection for an engine. */
export async function withTables<T>(
  runtime: Runtime,
  request: Work,
  attempt: Attempt,
  database: string,
  work: (session: TableSession, at: Attempt) => Promise<T>,
): Promise<T> {
  return await inSlot(runtime, request, attempt, async (at) => {
    await using session = await runtime.providers.offline(database).open({ signal: at.signal });
    return await work(session, at);
  });
}

/** Waits for a slot and keeps the step's time limit, which counts from the slot on. */
async function inSlot<T>(
  runtime: Runtime,
  { step, timeout }: Work,
  attempt: Attempt,
  work: (at: Attempt) => Promise<T>,
): Promise<T> {
  const { priorityKey = PRIORITIES.scheduled } = Context.current().info.priority ?? {};
  const release = await runtime.slots.take(attempt.signal, priorityKey);
  const limit = timeout === undefined ? undefined : AbortSignal.timeout(timerMillis(timeout));
  const at = limit === undefined ? attempt : { ...attempt, signal: AbortSignal.any([attempt.signal, limit]) };
  try {
    return await work(at);
  } catch (error) {
    if (!limit?.aborted || attempt.signal.aborted) throw error;
    throw new GranaryError(
      'TimedOut',
      `${step.name} took longer than its timeout of ${timeout ?? ''}. Raise the timeout of its definition, or give the worker more memory or threads.`,
      { cause: error },
    );
  } finally {
    release();
  }
}

/** A duration text as a timer's milliseconds; timers end at 24.8 days. */
const timerMillis = (text: string): number => Math.min(Number(durationMicros(text) / 1000n), 2 ** 31 - 1);
