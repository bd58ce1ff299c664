import { GranaryError } from './errors.js';
import { checkName } from './names.js';
import type { Binding, Provider } from './provider.js';
import { refuseLiteralPassword, type Secret } from './secret.js';
import type { Entity } from './entity.js';
import type { FeatureView } from './feature-view.js';
import type { Label } from './label.js';
import type { Pipeline } from './pipeline.js';
import type { AnySource } from './source.js';
import type { TrainingSet } from './training-set.js';

export type Definition = AnySource | FeatureView | Label | TrainingSet | Entity | Pipeline | Provider;

/** Where a project's names point to: `dev`, `prod`. */
export interface Environment {
  /** Provider name -> real system. */
  readonly bind: Readonly<Record<string, Binding>>;
  /** The Postgres database of the registry; default: the variable `GRANARY_REGISTRY_URL`. */
  readonly registry?: { readonly url: string | Secret };
}

export interface ProjectOptions {
  readonly name: string;
  /** What is declared; whatever these refer to is taken in. */
  readonly resources: readonly Definition[];
  readonly environments: Readonly<Record<string, Environment>>;
  /** The variant of every definition that names none; default: derived from each fingerprint. */
  readonly variant?: string | Secret;
}

/** A project as it was declared; `compile` turns it into resources. */
export interface Project extends ProjectOptions {
  readonly kind: 'project';
}

/**
 * Declares a project. Make it the default export of the project's file.
 * @throws GranaryError `InvalidDefinition`: no environment, a password in a URL, two environments at one location.
 */
export function defineProject(options: ProjectOptions): Project {
  checkName('project', options.name);
  const environments = Object.entries(options.environments);
  if (environments.length === 0)
    throw new GranaryError(
      'InvalidDefinition',
      `The project ${options.name} has no environment. Write environments: { dev: { bind: { ... } } }.`,
    );
  for (const [name, { registry }] of environments) {
    checkName('environment', name);
    if (registry) refuseLiteralPassword(`environment ${name}, registry`, registry.url);
  }
  return Object.freeze({ kind: 'project', ...options });
}

/**
 * The environment to use: the one asked for, else `dev`, else the only one. `prod` is never implied.
 * @throws GranaryError `InvalidInput` that lists the environments.
 */
export function chooseEnvironment(
  project: Pick<Project, 'name' | 'environments'>,
  asked: string | undefined,
): string {
  const names = Object.keys(project.environments);
  const known = `Environments of ${project.name}: ${names.join(', ')}.`;
  if (asked !== undefined && asked !== '') {
    if (!Object.hasOwn(project.environments, asked))
      throw new GranaryError('InvalidInput', `There is no environment "${asked}". ${known}`);
    return asked;
  }
  if (names.includes('dev')) return 'dev';
  const [only] = names;
  if (only !== undefined && names.length === 1 && only !== 'prod') return only;
  throw new GranaryError('InvalidInput', `Choose an environment with --env or GRANARY_ENV. ${known}`);
}

/** What an environment keeps apart: names that hold the project and the environment. */
export interface Scope {
  readonly project: string;
  readonly environment: string;
}

/** The registry's Postgres schema. */
export const registrySchema = ({ project, environment }: Scope): string =>
  `granary_${project}_${environment}`;
/** The project's name in Feast, the suffix of every Redis key. */
export const feastProject = ({ project, environment }: Scope): string => `${project}_${environment}`;
/** The default task queue. */
export const defaultTaskQueue = ({ project, environment }: Scope): string =>
  `granary-${project}-${environment}`;
