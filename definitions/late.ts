import type { Compilable } from './references.js';

/** What a name given as text may stand for. */
export type NamedKind = 'entity' | 'source' | 'view' | 'label';

/** Finds a definition of the project by its name: `flights`, `flights.v2`, `source/flights`. */
export type Find = (kind: NamedKind, name: string) => Compilable;

const BIND = Symbol('granary.bind');

/** A definition that names others as texts: it is checked and made once the whole project is known. */
export interface Late {
  /** Definitions that it refers to by object. */
  readonly refers: readonly Compilable[];
  readonly [BIND]: (find: Find) => Compilable;
}

/** Whether a definition waits for names, its own or those of what it refers to. */
export const isLate = (value: unknown): value is Late =>
  typeof value === 'object' && value !== null && BIND in value;

/** Whether what an option refers to is not known yet: a text, or a definition that is late itself. */
export const isOpen = (value: unknown): boolean => typeof value === 'string' || isLate(value);

/**
 * A definition to be made later. `shown` is what others see of it until then: its kind, name and variant; `references` are its options
 * that may be definitions.
 */
export function late<T extends object>(
  shown: T,
  references: readonly unknown[],
  bind: (find: Find) => Compilable,
): T & Late {
  const refers = references.filter(
    (reference): reference is Compilable => typeof reference === 'object' && reference !== null,
  );
  return Object.freeze({ ...shown, refers, [BIND]: bind });
}

/** Makes a late definition; `find` makes what it needs first. */
export const bindLate = (definition: Late, find: Find): Compilable => definition[BIND](find);

/** A definition that is given as it is or by its name; one that is late itself is found by its name as well. */
export function bound(kind: NamedKind, value: unknown, find: Find): Compilable {
  if (typeof value === 'string') return find(kind, value);
  if (!isOpen(value)) return value as Compilable;
  const { name, variant } = value as { readonly name: string; readonly variant?: string };
  return find(kind, variant === undefined ? name : `${name}.${variant}`);
}
