import type { CatalogEntry } from './catalog.js';

/** What each entry refers to, and what refers to it, by ids; both sorted. */
export interface CatalogGraph {
  readonly reads: ReadonlyMap<string, readonly string[]>;
  readonly readBy: ReadonlyMap<string, readonly string[]>;
}

/** An entry in a tree of what it comes from, or of what comes from it. */
export interface LineageNode {
  readonly id: string;
  /** Empty where the entry stands elsewhere in the tree with what follows it (`repeated`), or nothing follows. */
  readonly next: readonly LineageNode[];
  readonly repeated?: true;
}

/** Fields of a definition that name a provider. */
const PROVIDER_FIELDS: ReadonlySet<string> = new Set(['store', 'online']);

/**
 * The references between entries: every id within a definition, and the providers that it names. Pure.
 * Whatever a later kind of definition adds counts too, for any text that is an id is a reference.
 */
export function graphOf(entries: ReadonlyMap<string, CatalogEntry>): CatalogGraph {
  const reads = new Map<string, readonly string[]>();
  const readBy = new Map<string, string[]>([...entries.keys()].map((id) => [id, []]));
  for (const [id, entry] of entries) {
    const found = new Set<string>();
    const visit = (value: unknown, field: string): void => {
      if (typeof value === 'string') {
        const named = PROVIDER_FIELDS.has(field) ? `provider/${value}` : value;
        if (named !== id && entries.has(named)) found.add(named);
      } else if (typeof value === 'object' && value !== null)
        for (const [key, item] of Object.entries(value)) visit(item, Array.isArray(value) ? field : key);
    };
    visit(entry.spec, '');
    reads.set(id, [...found].sort());
    for (const upstream of found) readBy.get(upstream)?.push(id);
  }
  for (const ids of readBy.values()) ids.sort();
  return { reads, readBy };
}

/** The tree that follows an entry in one direction; what is reached twice is told once. */
export function lineageTree(next: ReadonlyMap<string, readonly string[]>, id: string): LineageNode[] {
  const told = new Set<string>();
  const visit = (at: string): LineageNode[] =>
    (next.get(at) ?? []).map((child) => {
      const repeated = told.has(child) && (next.get(child) ?? []).length > 0;
      told.add(child);
      return repeated ? { id: child, next: [], repeated } : { id: child, next: visit(child) };
    });
  return visit(id);
}
