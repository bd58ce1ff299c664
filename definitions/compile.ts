import type { BuildFunction, BuiltSource } from './built-source.js';
import { checkLocations } from './compile-locations.js';
import { sourceSpec } from './compile-source.js';
import { trainingSetSpec } from './compile-training-set.js';
import type { PipelineSpec, Resource, ResourceKind, SpecOf } from './contract.js';
import type { Deadline } from './deadline.js';
import type { Entity } from './entity.js';
import { GranaryError } from './errors.js';
import { fingerprintOf } from './fingerprint-of.js';
import type { FeatureView } from './feature-view.js';
import type { Label } from './label.js';
import { bindLate, isLate, type NamedKind } from './late.js';
import { checkVariant, didYouMean } from './names.js';
import type { Pipeline, Target } from './pipeline.js';
import type { Project } from './project.js';
import type { Secret } from './secret.js';
import { peopleOf, type AnySource, type FileSource, type TableSource, type Versioned } from './source.js';
import { findTarget } from './target.js';
import { nameKey, references, type Compilable } from './references.js';
import type { TrainingSet } from './training-set.js';

/** A project as data: every resource by id, upstream first; the code of TypeScript builds apart from it. */
export interface CompiledProject {
  readonly name: string;
  readonly resources: ReadonlyMap<string, Resource>;
  readonly pipelines: ReadonlyMap<string, PipelineSpec>;
  /** Id of a feature set that TypeScript builds -> its code. */
  readonly handlers: ReadonlyMap<string, BuildFunction>;
}

/**
 * Compiles a project: collects what its resources refer to, settles variants, takes fingerprints.
 * `secrets` resolves the project's variant where it is a reference.
 * @throws GranaryError `InvalidDefinition`: clashing names, unknown references, cycles.
 */
export function compile(
  project: Project,
  secrets: (secret: Secret) => string | undefined = () => undefined,
): CompiledProject {
  return new Compiler(project, secrets).compile();
}

class Compiler {
  readonly #project: Project;
  readonly #defaultVariant: string | undefined;
  readonly #named = new Map<string, Compilable>();
  readonly #resources = new Map<string, Resource>();
  readonly #handlers = new Map<string, BuildFunction>();
  /** Built sources under way: an id met again is a cycle. */
  readonly #open: string[] = [];

  constructor(project: Project, secrets: (secret: Secret) => string | undefined) {
    this.#project = project;
    this.#defaultVariant = typeof project.variant === 'object' ? secrets(project.variant) : project.variant;
  }

  compile(): CompiledProject {
    const pipelines: Pipeline[] = [];
    const targets: Compilable[] = [];
    for (const definition of this.#project.resources) {
      if (definition.kind === 'pipeline') {
        pipelines.push(definition);
        for (const target of definition.targets) if (typeof target !== 'string') targets.push(target);
      } else targets.push(definition);
    }
    // Every definition is known by name before any is compiled, so that a text may refer to a later one.
    for (const definition of targets) this.#collect(definition);
    for (const definition of targets) this.#add(definition);
    const specs = new Map<string, PipelineSpec>();
    for (const pipeline of pipelines) {
      if (specs.has(pipeline.name))
        throw new GranaryError('InvalidDefinition', `Two pipelines are named ${pipeline.name}.`);
      specs.set(pipeline.name, this.#pipeline(pipeline));
    }
    checkLocations(this.#project, this.#resources.values());
    return {
      name: this.#project.name,
      resources: this.#resources,
      pipelines: specs,
      handlers: this.#handlers,
    };
  }

  #collect(definition: Compilable): void {
    const key = nameKey(definition);
    const known = this.#named.get(key);
    if (known === definition) return;
    // A provider is its name and its type.
    if (known?.kind === 'provider' && definition.kind === 'provider' && known.type === definition.type)
      return;
    if (known)
      throw new GranaryError(
        'InvalidDefinition',
        `Two different definitions are named ${key}. Names are unique within a kind, and all sources are one kind; rename one, or give one a variant.`,
      );
    this.#named.set(key, definition);
    for (const upstream of references(definition)) if (typeof upstream !== 'string') this.#collect(upstream);
  }

  /** A definition by name; one that names others is made first. */
  #find(where: string, kind: NamedKind, text: string): Compilable {
    const name = text.startsWith(`${kind}/`) ? text.slice(kind.length + 1) : text;
    const all = [...this.#named.values()].filter((d) => d.kind === kind);
    const found = all.find((d) => d.name === name || `${d.name}.${(d as Versioned).variant ?? ''}` === name);
    if (!found)
      throw new GranaryError(
        'InvalidDefinition',
        `${where}: there is no ${kind === 'view' ? 'feature view' : kind} "${text}". ${didYouMean(
          name,
          all.map((d) => d.name),
        )}`,
      );
    return this.#made(found);
  }

  /** A definition with the names in it known. */
  #made(definition: Compilable): Compilable {
    if (!isLate(definition)) return definition;
    const known = this.#bound.get(definition);
    if (known) return known;
    const where = `${definition.kind === 'view' ? 'feature view' : definition.kind === 'trainingSet' ? 'training set' : definition.kind} ${definition.name}`;
    const made = bindLate(definition, (kind, name) => this.#find(where, kind, name));
    this.#bound.set(definition, made);
    return made;
  }

  readonly #bound = new Map<Compilable, Compilable>();

  #add(given: Compilable): Resource {
    const definition = this.#made(given);
    const known = this.#resources.get(this.#idByKey.get(nameKey(definition)) ?? '');
    if (known) return known;
    const key = nameKey(definition);
    if (this.#open.includes(key))
      throw new GranaryError(
        'InvalidDefinition',
        `Sources depend on each other in a circle: ${[...this.#open, key].join(' -> ')}.`,
      );
    this.#open.push(key);
    const resource = this.#resource(definition);
    this.#open.pop();
    this.#resources.set(resource.id, resource);
    this.#idByKey.set(key, resource.id);
    return resource;
  }

  readonly #idByKey = new Map<string, string>();

  #resource(definition: Compilable): Resource {
    switch (definition.kind) {
      case 'provider':
        return this.#make('provider', definition.name, { type: definition.type }, {});
      case 'entity':
        return this.#make(
          'entity',
          definition.name,
          { joinKeys: (definition as Entity).joinKeys },
          definition as Entity,
        );
      case 'source':
        return this.#source(definition as FileSource | TableSource | BuiltSource);
      case 'view':
        return this.#view(definition as FeatureView);
      case 'label':
        return this.#label(definition as Label);
      case 'trainingSet':
        return this.#trainingSet(definition as TrainingSet);
    }
  }

  #make<K extends ResourceKind>(
    kind: K,
    name: string,
    spec: SpecOf[K],
    about: Versioned & {
      readonly timeout?: string | undefined;
      readonly deadline?: Deadline | undefined;
    },
  ): Resource<K> {
    const print = fingerprintOf({ kind, name, spec });
    const versioned = kind !== 'provider' && kind !== 'entity';
    const variant = versioned ? (about.variant ?? this.#defaultVariant ?? print.slice(0, 8)) : '';
    if (versioned) checkVariant(`${kind} ${name}`, variant);
    const { timeout, deadline } = about;
    return {
      id: `${kind}/${name}${variant === '' ? '' : `.${variant}`}`,
      kind,
      name,
      variant,
      fingerprint: print,
      spec,
      about: peopleOf(about),
      ...(timeout === undefined ? {} : { timeout }),
      ...(deadline === undefined ? {} : { deadline }),
    };
  }

  /** A source by object or by name, `name.variant` or `source/name`. */
  #sourceRef(where: string, reference: AnySource | string): Resource<'source'> {
    if (typeof reference !== 'string') return this.#add(reference as AnySource) as Resource<'source'>;
    const name = reference.replace(/^source\//, '');
    const found = [...this.#named.values()].filter(
      (d): d is Extract<Compilable, { kind: 'source' }> =>
        d.kind === 'source' && (d.name === name || `${d.name}.${(d as Versioned).variant ?? ''}` === name),
    );
    const [only] = found;
    if (only === undefined)
      throw new GranaryError(
        'InvalidDefinition',
        `${where}: there is no source "${reference}". ${didYouMean(
          name,
          [...this.#named.values()].filter((d) => d.kind === 'source').map((d) => d.name),
        )}`,
      );
    return this.#add(only) as Resource<'source'>;
  }

  #source(definition: FileSource | TableSource | BuiltSource): Resource<'source'> {
    this.#add(definition.store);
    const { spec, handler } = sourceSpec(definition, (where, reference) => this.#sourceRef(where, reference));
    const resource = this.#make('source', definition.name, spec, definition);
    if (handler) this.#handlers.set(resource.id, handler);
    return resource;
  }

  #view(view: FeatureView): Resource<'view'> {
    const types = Object.assign({}, ...view.entities.map((e) => e.joinKeys)) as Entity['joinKeys'];
    if (view.online) this.#add(view.online);
    return this.#make(
      'view',
      view.name,
      {
        entities: view.entities.map((e) => this.#add(e).id),
        source: this.#sourceRef(`feature view ${view.name}`, view.source).id,
        joinKeys: Object.entries(view.keys).map(([name, column]) => ({
          name,
          column,
          type: types[name] ?? 'string',
        })),
        features: view.features,
        ...(view.ttl === undefined ? {} : { ttl: view.ttl }),
        ...(view.online === undefined ? {} : { online: view.online.name }),
      },
      view,
    );
  }

  #label(label: Label): Resource<'label'> {
    return this.#make(
      'label',
      label.name,
      {
        source: this.#sourceRef(`label ${label.name}`, label.source).id,
        value: label.value,
        type: label.type,
        ...(label.timestampField === undefined ? {} : { timestampField: label.timestampField }),
        roles: label.roles.map(({ role, entity, keys }) => ({
          role,
          entity: this.#add(entity).id,
          keys: Object.entries(keys).map(([name, column]) => ({
            name,
            column,
            type: entity.joinKeys[name] ?? 'string',
          })),
        })),
      },
      label,
    );
  }

  #trainingSet(set: TrainingSet): Resource<'trainingSet'> {
    const label = this.#add(set.label) as Resource<'label'>;
    if (set.store) this.#add(set.store);
    const views = set.features.map(({ view }) => this.#add(view) as Resource<'view'>);
    const sources = [label, ...views].map(
      ({ spec }) => this.#resources.get(spec.source) as Resource<'source'>,
    );
    const spec = trainingSetSpec(
      set,
      label.id,
      views.map(({ id }) => id),
      sources,
    );
    return this.#make('trainingSet', set.name, spec, set);
  }

  #pipeline(pipeline: Pipeline): PipelineSpec {
    const { name, schedule, startDate, endDate, retries, dependsOnPast, lookback, deadline } = pipeline;
    return {
      name,
      targets: pipeline.targets.map((target) => this.#target(name, target)),
      schedule,
      startDate,
      ...(endDate === undefined ? {} : { endDate }),
      retries,
      ...(dependsOnPast === undefined ? {} : { dependsOnPast }),
      ...(lookback === undefined ? {} : { lookback }),
      ...(deadline === undefined ? {} : { deadline }),
      about: peopleOf(pipeline),
    };
  }

  #target(pipeline: string, target: Target): string {
    if (typeof target !== 'string') return this.#add(target).id;
    return findTarget(this.#resources, target, `pipeline ${pipeline}`).id;
  }
}
