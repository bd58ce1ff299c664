import Fuse from 'fuse.js';
import { GranaryError } from '../definitions/errors.js';
import type { CatalogEntry } from './catalog.js';

/** An entry that a search found, and where. */
export interface SearchHit {
  readonly entry: CatalogEntry;
  /** The fields in which the words were found: `name`, `variant`, `tags`, `owner`, `description`, `properties`. */
  readonly in: readonly string[];
}

interface Document {
  readonly entry: CatalogEntry;
  readonly name: string;
  /** The parts of the name, which people remember rather than the whole. */
  readonly parts: readonly string[];
  readonly variant: string;
  readonly tags: readonly string[];
  readonly owner: string;
  /** Word by word: a fuzzy match anywhere in a long text would find nearly everything. */
  readonly description: readonly string[];
  readonly properties: readonly string[];
}

const FIELDS = ['name', 'parts', 'variant', 'tags', 'owner', 'description', 'properties'] as const;

/**
 * The entries that have every word of a text, or one that is nearly it, in a name, variant, tag, owner, property or description. Best first: the
 * name itself, a part of it, a name that holds the word, other fields that do, then what resembles it.
 * @throws GranaryError `InvalidInput` for an empty text.
 */
export function searchEntries(entries: Iterable<CatalogEntry>, text: string): SearchHit[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0)
    throw new GranaryError(
      'InvalidInput',
      'There is nothing to search for. Give a word: granary search fraud',
    );
  const documents = [...entries].map(documentOf);
  const fuse = new Fuse(documents, {
    keys: [...FIELDS],
    // Beginning, length and place of a match say nothing here; two of five letters may differ, as where two changed places.
    ignoreLocation: true,
    ignoreFieldNorm: true,
    includeScore: true,
    includeMatches: true,
    threshold: 0.4,
  });
  let found: Map<Document, { rank: number; in: ReadonlySet<string> }> | undefined;
  for (const word of words) {
    const hits = new Map<Document, { rank: number; in: ReadonlySet<string> }>();
    for (const { item, score = 1, matches = [] } of fuse.search(word)) {
      const before = found ? found.get(item) : { rank: 0, in: new Set<string>() };
      if (!before) continue;
      const fields = matches.map(({ key = '' }) => (key === 'parts' ? 'name' : key));
      hits.set(item, {
        rank: before.rank + tier(item, word) + score,
        in: new Set([...before.in, ...fields]),
      });
    }
    found = hits;
  }
  return [...(found ?? [])]
    .sort(([a, { rank: x }], [b, { rank: y }]) => x - y || (a.entry.id < b.entry.id ? -1 : 1))
    .map(([{ entry }, hit]) => ({ entry, in: [...hit.in] }));
}

function documentOf(entry: CatalogEntry): Document {
  const { owner = '', description = '', tags = [], properties = {} } = entry.about;
  return {
    entry,
    name: entry.name,
    parts: entry.name.split(/[-_.@\s]+/).filter((part) => part !== ''),
    variant: entry.variant,
    tags,
    owner,
    description: description.split(/\s+/).filter((word) => word !== ''),
    properties: Object.entries(properties).flat(),
  };
}

function tier(document: Document, word: string): number {
  const name = document.name.toLowerCase();
  if (name === word) return 0;
  if (document.parts.some((part) => part.toLowerCase() === word)) return 2;
  if (name.startsWith(word)) return 4;
  if (name.includes(word)) return 6;
  const others = [
    document.variant,
    document.owner,
    ...document.tags,
    ...document.properties,
    ...document.description,
  ];
  if (others.some((value) => value.toLowerCase().includes(word))) return 8;
  return 10;
}
