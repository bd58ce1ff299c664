import { GranaryError } from './errors.js';
import { checkName } from './names.js';
import type { About } from './source.js';
import type { ScalarType } from './types.js';

/** The types that identify an entity, in every online layout (Feast refuses floats, booleans and lists). */
export type KeyType = Extract<ScalarType, 'string' | 'int32' | 'int64' | 'bytes' | 'timestamp'>;
export type JoinKeys = Readonly<Record<string, KeyType>>;

/** What a feature describes: a user, an airport, a route. */
export interface Entity<K extends JoinKeys = JoinKeys> extends About {
  readonly kind: 'entity';
  readonly name: string;
  readonly joinKeys: K;
}

const KEY_TYPES: readonly string[] = ['string', 'int32', 'int64', 'bytes', 'timestamp'] satisfies KeyType[];

/** Declares an entity by its join keys and their types. */
export function entity<const K extends JoinKeys>(
  name: string,
  options: { readonly joinKeys: K } & About,
): Entity<K> {
  checkName('entity', name);
  const keys = Object.entries(options.joinKeys);
  if (keys.length === 0)
    throw new GranaryError(
      'InvalidDefinition',
      `The entity ${name} has no join key. Write joinKeys: { user_id: t.string }.`,
    );
  for (const [key, type] of keys)
    if (!KEY_TYPES.includes(type))
      throw new GranaryError(
        'InvalidDefinition',
        `The entity ${name}: the join key "${key}" is ${type}; a key must be one of ${KEY_TYPES.join(', ')}.`,
      );
  return Object.freeze({ kind: 'entity', name, ...options });
}
