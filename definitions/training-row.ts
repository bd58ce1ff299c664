import type { FeatureView } from './feature-view.js';
import type { Label } from './label.js';
import type { Selection } from './selection.js';
import type { Schema, Value } from './types.js';

/** A view, or some of its features, or its features for a role of the label. */
export type FeatureChoice = FeatureView | Selection;

type ColumnsOf<F> = F extends { readonly kind: 'selection' | 'view'; readonly types?: infer C }
  ? NonNullable<C>
  : never;
type NameOfView<F> = F extends { readonly kind: 'selection'; readonly viewName?: infer N }
  ? NonNullable<N> & string
  : F extends { readonly kind: 'view'; readonly name: infer N }
    ? N & string
    : never;
type Union<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

/** Columns that two of the choices have, or one of them and the label. */
type Twice<F extends readonly unknown[], Seen, Found = never> = F extends readonly [infer H, ...infer R]
  ? Twice<R, Seen | keyof ColumnsOf<H>, Found | Extract<keyof ColumnsOf<H>, Seen>>
  : Found;

/** A choice's columns under their names in the output. */
type NamedColumns<F, Ambiguous> = F extends unknown
  ? {
      readonly [
        K in keyof ColumnsOf<F> & string as K extends Ambiguous ? `${NameOfView<F>}__${K}` : K
      ]: ColumnsOf<F>[K];
    }
  : never;

type Values<C> = { readonly [K in keyof C]: C extends Schema ? Value<C[K]> | null : unknown };

/**
 * The values of some features by their columns, each with the view's name before it where two have one name, or `Taken` has it already; `string`
 * takes them all.
 */
export type FeatureRow<F extends readonly FeatureChoice[], Taken = never> = Values<
  Union<NamedColumns<F[number], Twice<F, Taken>>>
>;

/** A row of a training set: every feature, then the label; any may be NULL. */
export type TrainingRow<L, F extends readonly FeatureChoice[]> = FeatureRow<
  F,
  L extends Label<infer N> ? N : never
> &
  (L extends Label<infer N, infer T> ? { readonly [K in N]: Value<T> | null } : unknown);

/** {@link TrainingRow}, or any columns where something is given by its name. */
export type RowOf<L extends Label | string, F extends readonly (FeatureChoice | string)[]> = [
  Extract<L | F[number], string>,
] extends [never]
  ? F extends readonly FeatureChoice[]
    ? TrainingRow<L, F>
    : never
  : Readonly<Record<string, unknown>>;

/** The name of a label, given as a definition or as a text. */
export type NameOf<L> = L extends Label<infer N> ? N : L extends string ? L : string;
