import type { Entity, JoinKeys } from './entity.js';
import { GranaryError } from './errors.js';
import { bound, isOpen, late } from './late.js';
import { checkName } from './names.js';
import { aboutOf, checkColumn, type AnySource, type Source, type Versioned } from './source.js';
import {
  narrows,
  type AnyColumns,
  type ColumnOf,
  type Narrowed,
  type Schema,
  type ValueType,
} from './types.js';

/** One entity of a label by role: which columns hold its join keys. */
export interface RoleSpec<S extends Schema, K extends JoinKeys = JoinKeys> {
  readonly entity: Entity<K> | string;
  /** Join key -> column of the label's source. */
  readonly keys: { readonly [J in keyof K]: ColumnOf<S, K[J]> };
}

interface CommonLabel<S extends Schema, C extends ColumnOf<S>, V extends Narrowed<S[C]>> extends Versioned {
  readonly source: Source<S> | string;
  /** The column to learn. */
  readonly value: C;
  readonly type?: V;
  /** When the label's row happened: features are taken as of this time. Without it: the newest. */
  readonly timestampField?: ColumnOf<S, 'timestamp'>;
}

interface SingleLabel<
  S extends Schema,
  C extends ColumnOf<S>,
  V extends Narrowed<S[C]>,
  K extends JoinKeys,
> extends CommonLabel<S, C, V> {
  readonly entity: Entity<K> | string;
  /** The column that holds the entity's one join key. */
  readonly key: ColumnOf<S, NoInfer<K[keyof K]>>;
  readonly entities?: never;
}

interface RolesLabel<
  S extends Schema,
  C extends ColumnOf<S>,
  V extends Narrowed<S[C]>,
  R extends Readonly<Record<string, JoinKeys>>,
> extends CommonLabel<S, C, V> {
  /** Role -> entity: two roles may share an entity (origin and destination are both airports). */
  readonly entities: { readonly [Role in keyof R]: RoleSpec<S, R[Role]> };
  readonly entity?: never;
  readonly key?: never;
}

/** Entity, value and time columns of a source: the spine of a training set. */
export interface Label<
  N extends string = string,
  T extends ValueType = ValueType,
  R extends string = string,
> extends Versioned {
  readonly kind: 'label';
  readonly name: N;
  readonly source: AnySource;
  readonly value: string;
  readonly type: T;
  readonly timestampField: string | undefined;
  readonly roles: readonly {
    readonly role: R;
    readonly entity: Entity;
    readonly keys: Readonly<Record<string, string>>;
  }[];
}

/** Declares a label of one entity. */
export function label<
  const N extends string,
  const S extends Schema = AnyColumns,
  const C extends ColumnOf<S> = ColumnOf<S>,
  const K extends JoinKeys = JoinKeys,
  const V extends Narrowed<S[C]> = S[C],
>(name: N, options: SingleLabel<S, C, V, K>): Label<N, V, never>;
/** Declares a label of several entities by role. */
export function label<
  const N extends string,
  const S extends Schema = AnyColumns,
  const C extends ColumnOf<S> = ColumnOf<S>,
  const R extends Readonly<Record<string, JoinKeys>> = Readonly<Record<string, JoinKeys>>,
  const V extends Narrowed<S[C]> = S[C],
>(name: N, options: RolesLabel<S, C, V, R>): Label<N, V, keyof R & string>;
export function label<S extends Schema, C extends ColumnOf<S>>(
  name: string,
  options:
    | SingleLabel<S, C, Narrowed<S[C]>, JoinKeys>
    | RolesLabel<S, C, Narrowed<S[C]>, Readonly<Record<string, JoinKeys>>>,
): Label {
  checkName('label', name);
  const what = `label ${name}`;
  const {
    source: from,
    value,
    timestampField,
    entity: one,
    key,
    entities: several,
    type,
    ...about
  } = options;
  const named = [from, ...(several ? Object.values(several).map((role) => role.entity) : [one])];
  if (named.some(isOpen))
    return late({ kind: 'label' as const, name, ...aboutOf(options) }, named, (find) =>
      label(name, {
        ...options,
        source: bound('source', from, find),
        ...(several === undefined
          ? { entity: bound('entity', one, find) }
          : {
              entities: Object.fromEntries(
                Object.entries(several).map(([role, spec]) => [
                  role,
                  { ...spec, entity: bound('entity', spec.entity, find) },
                ]),
              ),
            }),
      } as never),
    ) as unknown as Label;
  const source = from as Source<S>;
  checkColumn(what, source.schema, value);
  if (timestampField !== undefined) checkColumn(what, source.schema, timestampField, 'timestamp');
  const found = source.schema[value] as ValueType;
  if (type !== undefined && !narrows(found, type))
    throw new GranaryError(
      'InvalidDefinition',
      `The ${what}: type ${String(type)} does not fit the ${found} column "${value}".`,
    );
  const roles =
    several === undefined
      ? [single(what, one as Entity, key)]
      : Object.entries(several).map(([role, spec]) => ({
          role,
          entity: spec.entity as Entity,
          keys: { ...spec.keys } as Record<string, string>,
        }));
  for (const role of roles)
    for (const [joinKey, keyType] of Object.entries(role.entity.joinKeys)) {
      const column = role.keys[joinKey];
      if (column === undefined)
        throw new GranaryError(
          'InvalidDefinition',
          `The ${what}: no column is given for the join key "${joinKey}" of ${role.entity.name}.`,
        );
      checkColumn(`${what}, join key ${joinKey}`, source.schema, column, keyType);
    }
  return Object.freeze({
    kind: 'label',
    name,
    source: source as AnySource,
    value,
    type: type ?? found,
    timestampField,
    roles,
    ...about,
  });
}

function single(what: string, entity: Entity, key: string): Label['roles'][number] {
  const [joinKey, ...more] = Object.keys(entity.joinKeys);
  if (joinKey === undefined || more.length > 0)
    throw new GranaryError(
      'InvalidDefinition',
      `The ${what}: ${entity.name} has several join keys; write entities: { role: { entity, keys } }.`,
    );
  return { role: entity.name, entity, keys: { [joinKey]: key } };
}
