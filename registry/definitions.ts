import type { CompiledProject } from '../definitions/compile.js';
import type { PipelineSpec, Resource } from '../definitions/contract.js';
import type { Registry } from './registry.js';

/** The definitions that a run plans from. */
export interface Definitions {
  /** The project's name. */
  readonly name: string;
  readonly resources: ReadonlyMap<string, Resource & { readonly isDefault?: boolean }>;
  readonly pipelines: ReadonlyMap<string, PipelineSpec>;
  /** Registers them where that is not done yet. */
  register(): Promise<void>;
}

/**
 * What counts: once something was applied, what the registry has, whatever this worker was deployed with; before, the
 * project at hand, which runs register.
 */
export async function definitionsOf({
  registry,
  project,
}: {
  readonly registry: Registry;
  readonly project: CompiledProject;
}): Promise<Definitions> {
  const { name } = project;
  if (!(await registry.applies.any())) {
    const { resources, pipelines } = project;
    return {
      name,
      resources,
      pipelines,
      register: () => registry.resources.register(resources.values(), pipelines.values()),
    };
  }
  const pipelines = await registry.resources.pipelines();
  return {
    name,
    resources: await registry.resources.all(),
    pipelines: new Map(pipelines.map((pipeline) => [pipeline.name, pipeline])),
    register: () => Promise.resolve(),
  };
}
