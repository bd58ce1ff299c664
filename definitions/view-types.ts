import type { Entity, JoinKeys } from './entity.js';
import type { ColumnOf, Narrowed, Schema, ValueType } from './types.js';

/** The join keys of several entities together. */
export type KeysOf<E extends readonly (Entity | string)[]> = string extends E[number]
  ? JoinKeys
  : Extract<E[number], string> extends never
    ? Together<Extract<E[number], Entity>['joinKeys']> extends infer K extends JoinKeys
      ? K
      : never
    : JoinKeys;

/** `A | B` as `A & B`. */
type Together<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

/** Join keys that are no column of the source under their own name and type. */
type Unmatched<S extends Schema, K extends JoinKeys> = {
  [J in keyof K]: J extends keyof S ? (S[J] extends K[J] ? never : J) : J;
}[keyof K] &
  string;

/** `keys` may be left out for join keys that are columns of the source. */
export type KeyColumns<S extends Schema, K extends JoinKeys> = string extends keyof K
  ? { readonly keys?: Readonly<Record<string, ColumnOf<S>>> }
  : [Unmatched<S, K>] extends [never]
    ? { readonly keys?: { readonly [J in keyof K]?: ColumnOf<S, K[J]> } }
    : {
        readonly keys: { readonly [J in Unmatched<S, K>]: J extends keyof K ? ColumnOf<S, K[J]> : never } & {
          readonly [J in keyof K]?: ColumnOf<S, K[J]>;
        };
      };

/** A field: the source's column of that name, or another column or a narrower type. */
export type FieldSpec<S extends Schema> = {
  [C in ColumnOf<S>]: { readonly column: C; readonly type?: Narrowed<S[C]> };
}[ColumnOf<S>];

export type FieldsSpec<S extends Schema> = readonly ColumnOf<S>[] | Readonly<Record<string, FieldSpec<S>>>;

/** The features' names and types. */
export type FeaturesOf<S extends Schema, F> = F extends readonly (infer C)[]
  ? { readonly [K in C & keyof S & string]: Known<S[K]> }
  : {
      readonly [K in keyof F & string]: F[K] extends { readonly type: infer T extends ValueType }
        ? T
        : F[K] extends { readonly column: infer C extends keyof S }
          ? Known<S[C]>
          : never;
    };

/** The type of a column; any, where the source is given by its name. */
export type Known<T extends ValueType> = [T] extends [never] ? ValueType : T;
