import { GranaryError } from './errors.js';

const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
const VARIANT = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Names of sources that would clash with words of Granary's own. */
const RESERVED: ReadonlySet<string> = new Set(['interval', 'training_sets', 'latest']);

/**
 * Checks a resource's name: letters, digits, `_` and `-`, a letter first, no `__` (it joins a view and a field), no `_`
 * at the end (Feast and S3 names are made by joining with `_`).
 * @throws GranaryError `InvalidDefinition`.
 */
export function checkName(what: string, name: string): void {
  const reason = !NAME.test(name)
    ? 'Use letters, digits, "_" and "-", with a letter first.'
    : name.includes('__')
      ? 'Leave out "__": it joins a view and a field.'
      : name.endsWith('_')
        ? 'Leave out the "_" at the end.'
        : RESERVED.has(name)
          ? `"${name}" is a word of Granary's own; choose another.`
          : undefined;
  if (reason !== undefined)
    throw new GranaryError('InvalidDefinition', `The ${what} name "${name}" is not allowed. ${reason}`);
}

/** Whether a column's name is a whole number, which JavaScript's objects put before every other name. */
export const isNumberName = (column: string): boolean => /^(0|[1-9]\d*)$/.test(column);

/** Checks a variant's name; the same letters as a name, and a digit may come first. */
export function checkVariant(what: string, variant: string): void {
  if (!VARIANT.test(variant) || variant.includes('__') || variant.endsWith('_'))
    throw new GranaryError(
      'InvalidDefinition',
      `The variant "${variant}" of ${what} is not allowed. Use letters, digits, "_" and "-", without "__" and without "_" at the end.`,
    );
}

/** The candidates for a mistyped name, nearest first: for "did you mean" in messages. */
export function didYouMean(wrong: string, known: Iterable<string>): string {
  const names = [...new Set(known)].sort();
  if (names.length === 0) return 'There are none.';
  const near = names
    .map((name) => ({ name, far: farness(wrong.toLowerCase(), name.toLowerCase()) }))
    .filter(({ far }) => far <= FAR)
    .sort((a, b) => a.far - b.far)
    .slice(0, 3);
  return near.length > 0
    ? `Did you mean ${near.map(({ name }) => `"${name}"`).join(' or ')}?`
    : `Known: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', ...' : ''}.`;
}

/** A name of so many letters more or others is another name. */
const FAR = 2;

/** How far a name is from what was typed; a word of it (`user_features` of `user_features_daily`) is as far as may be. */
function farness(wrong: string, name: string): number {
  const isPart = wrong.length > FAR && name.length > FAR && (name.includes(wrong) || wrong.includes(name));
  return Math.min(distance(wrong, name), isPart ? FAR : Infinity);
}

/** As {@link didYouMean}, of names in the registry; where it has none of the kind, how they come there. */
export function registeredNear(wrong: string, known: Iterable<string>): string {
  const names = [...known];
  return names.length > 0
    ? didYouMean(wrong, names)
    : 'None is registered yet: granary apply registers what the project declares.';
}

/** Levenshtein distance; names are short. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
