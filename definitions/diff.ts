import { canonicalJson } from './canonical.js';
import type { Resource, ResourceKind } from './contract.js';
import type { Deadline } from './deadline.js';
import { resourceName } from './upstream.js';

/** What is for people: free to change, no part of a definition's meaning. */
export type About = Resource['about'] & { readonly properties?: Readonly<Record<string, unknown>> };

/** What a registry knows of a resource, as far as a change concerns it. */
export interface KnownResource extends Resource {
  readonly location: string;
  readonly isDefault: boolean;
}

/** What registering definitions would do. */
export interface Changes {
  readonly created: readonly {
    readonly resource: Resource;
    /** The first variant of a name is its default. */
    readonly isDefault: boolean;
    /** Name in storage and in Feast. */
    readonly location: string;
  }[];
  /** Equal in meaning, but other in what is for people, or in their time limits. */
  readonly updated: readonly {
    readonly id: string;
    readonly about: About;
    readonly timeout: string | undefined;
    readonly deadline: Deadline | undefined;
    /** Field by field: `tags: ["a"] -> ["a","b"]`. */
    readonly fields: readonly string[];
  }[];
  /** Ids; those of `updated` are among them. */
  readonly unchanged: readonly string[];
  readonly refused: readonly {
    readonly id: string;
    readonly code: 'ResourceChanged' | 'InvalidDefinition';
    readonly message: string;
  }[];
}

/** Compares definitions, upstream first, with what is registered. Pure. */
export function changesOf(known: ReadonlyMap<string, KnownResource>, wanted: Iterable<Resource>): Changes {
  const created: Changes['created'][number][] = [];
  const updated: Changes['updated'][number][] = [];
  const refused: Changes['refused'][number][] = [];
  const unchanged: string[] = [];
  const defaults = new Set<string>();
  const places = new Map<string, string>();
  for (const { id, kind, name, isDefault, location } of known.values()) {
    if (isDefault) defaults.add(`${kind}/${name}`);
    places.set(`${kind}/${location}`, id);
  }
  for (const resource of wanted) {
    const { id, kind, name, variant } = resource;
    const found = known.get(id);
    if (found && found.fingerprint !== resource.fingerprint) {
      refused.push({ id, code: 'ResourceChanged', message: describeChange(resource, found.spec) });
      continue;
    }
    if (found) {
      unchanged.push(id);
      const about = mergeAbout(found.about, resource.about);
      const fields = difference(
        '',
        { ...found.about, timeout: found.timeout, deadline: found.deadline },
        { ...about, timeout: resource.timeout, deadline: resource.deadline },
      );
      if (fields.length > 0)
        updated.push({ id, about, timeout: resource.timeout, deadline: resource.deadline, fields });
      continue;
    }
    const isDefault = !defaults.has(`${kind}/${name}`);
    const location = isDefault ? name : `${name}_${variant}`;
    const other = places.get(`${kind}/${location}`);
    if (other !== undefined) {
      refused.push({
        id,
        code: 'InvalidDefinition',
        message: `${id} and ${other} would both be stored as "${location}". Choose another name or variant.`,
      });
      continue;
    }
    defaults.add(`${kind}/${name}`);
    places.set(`${kind}/${location}`, id);
    created.push({ resource, isDefault, location });
  }
  return { created, updated, unchanged, refused };
}

/** What is for people after an apply: tags united, properties merged, description and owner replaced. */
function mergeAbout(before: About, after: About): About {
  const { tags: oldTags, properties: oldProperties } = before;
  const { tags, properties, ...rest } = after;
  const united = [...new Set([...(oldTags ?? []), ...(tags ?? [])])];
  const merged = { ...oldProperties, ...properties };
  return {
    ...rest,
    ...(united.length === 0 ? {} : { tags: united }),
    ...(Object.keys(merged).length === 0 ? {} : { properties: merged }),
  };
}

const KIND_WORDS: Record<ResourceKind, string> = {
  provider: 'PROVIDER',
  entity: 'ENTITY',
  source: 'SOURCE_VARIANT',
  view: 'FEATURE_VIEW_VARIANT',
  label: 'LABEL_VARIANT',
  trainingSet: 'TRAINING_SET_VARIANT',
};

function describeChange(resource: Resource, before: unknown): string {
  const remedy = resource.variant === '' ? 'Please use a new name.' : 'Please use a new variant.';
  return [
    `${KIND_WORDS[resource.kind]} ${resourceName(resource)} has changed. ${remedy}`,
    ...difference('', before, resource.spec).map((line) => `  ${line}`),
  ].join('\n');
}

/** Field by field: `path: before -> after`. */
export function difference(path: string, before: unknown, after: unknown): string[] {
  if (canonicalJson(before) === canonicalJson(after)) return [];
  const isObject = (v: unknown): v is Record<string, unknown> =>
    typeof v === 'object' && v !== null && !Array.isArray(v);
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => difference(path === '' ? key : `${path}.${key}`, before[key], after[key]));
  }
  const show = (v: unknown): string => (v === undefined ? '(absent)' : JSON.stringify(v));
  return [`${path}: ${show(before)} -> ${show(after)}`];
}
