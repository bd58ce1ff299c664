import { describe, expect, it } from 'vitest';
import type { About, CatalogEntry } from '../../registry/catalog.js';
import { searchEntries } from '../../registry/catalog-search.js';

const entry = (name: string, about: About = {}, variant = 'v1'): CatalogEntry => ({
  ...{ id: `source/${name}.${variant}`, kind: 'source', name, variant, isDefault: true, about },
  ...{ status: 'READY', error: undefined, fingerprint: '', location: name, since: '' },
  spec: { type: 'files' },
});

const ENTRIES = [
  entry('hero-typesense-film'),
  entry('heroic'),
  entry('hero'),
  entry('juice-dataset-sonoma'),
  entry('juice-dataset-sonome'),
  entry('transactions.2024', { tags: ['fraud', 'gold'], owner: 'ada@example.com' }),
  entry('user@home', { description: 'How often a customer was at home, by the smart meter.' }),
  entry('avg_transactions', { properties: { tier: 'critical' } }, 'wine_2024'),
];

const found = (text: string): string[] => searchEntries(ENTRIES, text).map((hit) => hit.entry.name);

describe('a search', () => {
  it.each<[string, string, string[]]>([
    ['a part of a name', 'film', ['hero-typesense-film']],
    ['a name and its misspelt neighbour', 'sonoma', ['juice-dataset-sonoma', 'juice-dataset-sonome']],
    ['a name before the names that hold it', 'hero', ['hero', 'hero-typesense-film', 'heroic']],
    ['a name with a dash', 'hero-typesense', ['hero-typesense-film']],
    ['a name with a dot', 'transactions.2024', ['transactions.2024']],
    ['a name with an @', 'user@home', ['user@home']],
    ['a name whatever the case', 'HERO', ['hero', 'hero-typesense-film', 'heroic']],
    ['an owner', 'ada@example.com', ['transactions.2024']],
    ['a tag', 'fraud', ['transactions.2024']],
    ['a misspelt tag', 'fruad', ['transactions.2024']],
    ['a word of a description', 'smart', ['user@home']],
    ['a misspelt word of a description', 'custmoer', ['user@home']],
    ['a variant', 'wine_2024', ['avg_transactions']],
    ['a property', 'critical', ['avg_transactions']],
    ['a letter too few', 'transactons', ['avg_transactions', 'transactions.2024']],
    ['two words, both of which are there', 'fraud ada', ['transactions.2024']],
    ['two words, one of which is nowhere', 'fraud zebra', []],
    ['a word that is nowhere', 'zebra', []],
  ])('finds by %s: %s', (_, text, expected) => {
    const names = found(text);
    expect(names.slice(0, expected.length).sort()).toEqual([...expected].sort());
    if (expected.length === 0) expect(names).toEqual([]);
    if (text.toLowerCase() === 'hero') expect(names.slice(0, 3)).toEqual(expected);
  });

  it('ranks the name itself, a part of a name, what begins so, then what resembles it', () => {
    expect(found('hero').slice(0, 3)).toEqual(['hero', 'hero-typesense-film', 'heroic']);
    expect(found('sonome')[0]).toBe('juice-dataset-sonome');
  });

  it('says where it found it', () => {
    expect(searchEntries(ENTRIES, 'gold')[0]?.in).toEqual(['tags']);
  });

  it('refuses an empty text', () => {
    expect(() => searchEntries(ENTRIES, '  ')).toThrow(expect.objectContaining({ code: 'InvalidInput' }));
  });
});
