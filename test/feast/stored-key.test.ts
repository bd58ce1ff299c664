import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntityKeySerializer } from '../../feast/entity-key.js';
import { redisKey } from '../../feast/redis-layout.js';
import { storedKeyMatcher } from '../../feast/stored-key.js';

const u32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
};
const int64 = (n: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(n);
  return Buffer.concat([u32(4), u32(8), bytes]);
};
const text = (value: string): Buffer =>
  Buffer.concat([u32(2), u32(Buffer.byteLength(value)), Buffer.from(value)]);

/** A key as Feast's serialization 2 lays it out: no count, no lengths of names. */
const keyOf2 = (names: readonly string[], values: readonly Buffer[], project: string): Buffer =>
  Buffer.concat([...names.flatMap((name) => [u32(2), Buffer.from(name)]), ...values, Buffer.from(project)]);

const user = [{ name: 'user_id', type: 'int64' }] as const;
const route = [
  { name: 'origin', type: 'string' },
  { name: 'destination', type: 'string' },
] as const;
const keyOf3 = (
  joinKeys: ConstructorParameters<typeof EntityKeySerializer>[0],
  values: readonly unknown[],
  project: string,
): Uint8Array => redisKey(new EntityKeySerializer(joinKeys).serialize(values), project);

describe('a stored key is that of a view', () => {
  const dev = storedKeyMatcher(user, 'dev');
  const routes = storedKeyMatcher(route, 'shop_dev');

  it.each<[string, boolean]>([
    ['serialization 3', dev(keyOf3(user, [7n], 'dev'))],
    ['serialization 2', dev(keyOf2(['user_id'], [int64(7n)], 'dev'))],
    ['two join keys, 3', routes(keyOf3(route, ['ATL', 'żółć'], 'shop_dev'))],
    [
      'two join keys, 2, in the order of their names',
      routes(keyOf2(['destination', 'origin'], [text('A'), text('')], 'shop_dev')),
    ],
  ])('of %s', (_, matches) => {
    expect(matches).toBe(true);
  });

  it.each<[string, boolean]>([
    ['a project that ends alike', dev(keyOf3(user, [7n], 'features_dev'))],
    ['a project that ends alike, serialization 2', dev(keyOf2(['user_id'], [int64(7n)], 'features_dev'))],
    ['a project that begins alike', dev(keyOf3(user, [7n], 'dev_2'))],
    ['no project', dev(keyOf3(user, [7n], ''))],
    ['another join key', dev(keyOf3([{ name: 'user_ix', type: 'int64' }], [7n], 'dev'))],
    ['one join key more', routes(keyOf3([...route, ...user], ['A', 'B', 1n], 'shop_dev'))],
    ['one join key fewer', routes(keyOf3([route[0]], ['A'], 'shop_dev'))],
    ['a value that ends like a project', dev(keyOf3([{ name: 'user_id', type: 'string' }], ['xdev'], ''))],
    ['a value of an unknown type', dev(keyOf2(['user_id'], [Buffer.concat([u32(99), u32(0)])], 'dev'))],
    ['a value longer than the key', dev(keyOf2(['user_id'], [Buffer.concat([u32(2), u32(900)])], 'dev'))],
    ['a text', dev(Buffer.from('user:7:dev'))],
    ['nothing', dev(Buffer.from(''))],
    ["Granary's own", dev(Buffer.from('__granary:store:dev'))],
  ])('not of %s', (_, matches) => {
    expect(matches).toBe(false);
  });

  it('only of these join keys and this project, in either serialization, whatever ends or begins alike', () => {
    const names = ['a', 'id', 'user', 'user_id', 'user_id2'];
    const project = fc.constantFrom('dev', 'features_dev', 's_dev', 'dev_dev', 'a_features_dev', 'v');
    const joinKeys = fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 });
    const value = fc.oneof(
      fc.record({ type: fc.constant('int64' as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
      fc.record({
        type: fc.constant('string' as const),
        value: fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.constantFrom('dev', 'features_dev', '\0\0\0\0dev'),
        ),
      }),
      fc.record({ type: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 20 }) }),
    );
    const entity = joinKeys.chain((keys) =>
      fc.record({ keys: fc.constant(keys), values: fc.array(value, { minLength: 3, maxLength: 3 }) }),
    );
    fc.assert(
      fc.property(
        entity,
        project,
        joinKeys,
        project,
        fc.constantFrom(2, 3),
        (stored, at, keys, of, version) => {
          const types = stored.keys.map((name, i) => ({ name, type: stored.values[i]?.type ?? 'int64' }));
          const serialized = new EntityKeySerializer(types, version).serialize(
            stored.keys.map((_, i) => stored.values[i]?.value),
          );
          const isSame = at === of && [...keys].sort().join() === [...stored.keys].sort().join();
          const matches = storedKeyMatcher(
            keys.map((name) => ({ name })),
            of,
          );
          expect(matches(redisKey(serialized, at))).toBe(isSame);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('takes any value, also one whose bytes look like a project', () => {
    const byText = storedKeyMatcher([{ name: 'user_id' }], 'dev');
    expect(byText(keyOf3([{ name: 'user_id', type: 'string' }], ['features_dev'], 'dev'))).toBe(true);
    expect(byText(keyOf3([{ name: 'user_id', type: 'string' }], ['dev'], 'xdev'))).toBe(false);
  });
});
