import { rm } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { Budget, LoadSizes, Runtime } from '../activities/runtime.js';
import { makeScratch } from '../providers/own-folder.js';
import { SearchAttributes } from '../activities/search-attributes.js';
import { Slots } from '../activities/slots.js';
import type { Contract } from '../definitions/contract-file.js';
import { GranaryError } from '../definitions/errors.js';
import { defaultTaskQueue, type Project } from '../definitions/project.js';
import { openProject } from '../providers/bind.js';
import { duckdbOfflineProvider } from '../providers/offline/duckdb/provider.js';
import { openRegistry } from '../registry/registry.js';

/** How a worker runs a project. */
export interface RuntimeOptions {
  /** As `defineProject` made it, or as `granary compile` wrote it. */
  readonly project: Project | Contract;
  /** Default: `GRANARY_ENV`, then `dev`, then the only one; `prod` is never implied. */
  readonly environment?: string;
  /** What the machine lends to heavy steps. Default: two at a time, half of its memory, all of its cores. */
  readonly budget?: Partial<Budget>;
  /** Sizes of online loads. Default: 500,000 entities a shard, a checkpoint every 20,000. */
  readonly load?: Partial<LoadSizes>;
  /** How long a worker may be silent before others take its activities over. Default 30s. */
  readonly heartbeatTimeout?: string;
  /** Where files in the making go; default: a folder of the system's temporary one. */
  readonly scratch?: string;
}

/** A runtime and how to start and end it. */
export interface OwnedRuntime {
  readonly runtime: Runtime;
  readonly taskQueue: string;
  /** Once; asked again, it waits for the same. */
  close(): Promise<void>;
}

/** Compiles the project and binds the environment's systems; nothing is contacted yet. */
export async function createRuntime(options: RuntimeOptions): Promise<OwnedRuntime> {
  const { registry: address, ...open } = openProject(options.project, options.environment);
  const { scope, providers } = open;
  const registry = openRegistry(address);
  const heartbeatTimeout = options.heartbeatTimeout ?? '30s';
  if (!/^[1-9]\d*(ms|s|m|h)$/.test(heartbeatTimeout))
    throw new GranaryError(
      'InvalidInput',
      `The heartbeat timeout "${heartbeatTimeout}" is not a time. Write a whole number and a unit: 500ms, 30s, 5m.`,
    );
  const heavySlots = options.budget?.heavySlots ?? 2;
  const runtime: Runtime = {
    ...open,
    registry,
    offline: duckdbOfflineProvider(),
    budget: {
      heavySlots,
      memoryMiB: options.budget?.memoryMiB ?? Math.floor(totalmem() / 2 ** 21),
      threads: options.budget?.threads ?? availableParallelism(),
    },
    load: {
      rowsPerShard: options.load?.rowsPerShard ?? 500_000,
      rowsPerGroup: options.load?.rowsPerGroup ?? 20_000,
    },
    heartbeatTimeout,
    slots: new Slots(heavySlots),
    searchAttributes: new SearchAttributes(),
    scratch: await makeScratch(options.scratch),
  };
  let closed: Promise<unknown> | undefined;
  return {
    runtime,
    taskQueue: defaultTaskQueue(scope),
    async close() {
      await (closed ??= Promise.all([
        providers.close(),
        registry.close(),
        rm(runtime.scratch, { recursive: true, force: true }),
      ]));
    },
  };
}
