import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ScalarType } from '../../definitions/types.js';
import { EntityKeySerializer, type JoinKey, parseEntityKey } from '../../feast/entity-key.js';
import { redisKey } from '../../feast/redis-layout.js';
import { hex } from './hex.js';

const serialize = (keys: readonly JoinKey[], values: readonly unknown[]): Uint8Array =>
  new EntityKeySerializer(keys).serialize(values);

describe('entity keys, serialization version 3', () => {
  const names: [string, readonly JoinKey[], readonly unknown[], string][] = [
    [
      'int64',
      [{ name: 'user_id', type: 'int64' }],
      [1001n],
      '010000000200000007000000757365725f69640400000008000000e903000000000000',
    ],
    [
      'int64, negative',
      [{ name: 'user_id', type: 'int64' }],
      [-7n],
      '010000000200000007000000757365725f69640400000008000000f9ffffffffffffff',
    ],
    [
      'int32',
      [{ name: 'merchant_id', type: 'int32' }],
      [42],
      '01000000020000000b0000006d65726368616e745f696403000000040000002a000000',
    ],
    [
      'string',
      [{ name: 'customer_id', type: 'string' }],
      ['C1214240'],
      '01000000020000000b000000637573746f6d65725f696402000000080000004331323134323430',
    ],
    [
      'two keys, sorted by name whatever their order',
      [
        { name: 'user_id', type: 'int64' },
        { name: 'merchant_id', type: 'string' },
      ],
      [1001n, 'M-9'],
      '02000000020000000b0000006d65726368616e745f69640200000007000000757365725f696402000000030000004d2d390400000008000000e903000000000000',
    ],
    [
      'bytes and a timestamp, whose part of a second is cut',
      [
        { name: 'b', type: 'bytes' },
        { name: 't', type: 'timestamp' },
      ],
      [new Uint8Array([0, 255]), 1_500_000n],
      '02000000020000000100000062020000000100000074010000000200000000ff08000000080000000100000000000000',
    ],
  ];

  it.each(names)('%s', (_, keys, values, expected) => {
    expect(hex(serialize(keys, values))).toBe(expected);
  });

  it('rounds a timestamp before 1970 towards the past', () => {
    const key = serialize([{ name: 't', type: 'timestamp' }], [-500_000n]);
    expect(hex(key).slice(-16)).toBe('ffffffffffffffff');
  });

  it('ends with the project in Redis, without a separator', () => {
    const key = redisKey(serialize([{ name: 'user_id', type: 'int64' }], [1001n]), 'features_dev');
    expect(hex(key).endsWith('e90300000000000066656174757265735f646576')).toBe(true);
  });

  it('refuses NULL by the name of the join key', () => {
    const keys = [
      { name: 'a', type: 'int64' },
      { name: 'b', type: 'string' },
    ] as const;
    expect(() => serialize(keys, [1n, null])).toThrow(
      expect.objectContaining({ code: 'NullKey', message: expect.stringContaining('"b"') }),
    );
  });

  it.each(['float64', 'float32', 'bool'] as const)('refuses a join key of type %s', (type) => {
    expect(() => new EntityKeySerializer([{ name: 'k', type }])).toThrow(
      expect.objectContaining({
        code: 'InvalidDefinition',
        message: expect.stringContaining(`"k" is ${type}`),
      }),
    );
  });

  it.each<[ScalarType, unknown]>([
    ['int64', 2n ** 63n],
    ['int64', 1.5],
    ['int32', 2 ** 31],
    ['int32', 1n],
    ['string', 1n],
    ['bytes', 'x'],
    ['timestamp', 'x'],
  ])('refuses a value that is not %s: %s', (type, value) => {
    expect(() => serialize([{ name: 'k', type }], [value])).toThrow(
      expect.objectContaining({ code: 'ValueOutOfRange', message: expect.stringContaining('"k"') }),
    );
  });

  it('refuses a name that is given twice', () => {
    const key: JoinKey = { name: 'k', type: 'int64' };
    expect(() => new EntityKeySerializer([key, key])).toThrow(/twice/);
  });
});

const valueOf: Record<string, fc.Arbitrary<unknown>> = {
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  int32: fc.integer(),
  string: fc.string({ unit: 'binary' }),
  bytes: fc.uint8Array(),
  timestamp: fc.bigInt({ min: -(10n ** 11n), max: 10n ** 11n }).map((seconds) => seconds * 1_000_000n),
};
const pairs = fc.uniqueArray(
  fc.constantFrom<ScalarType>('int64', 'int32', 'string', 'bytes', 'timestamp').chain((type) =>
    fc.record({
      name: fc.string({ unit: 'binary', minLength: 1 }),
      type: fc.constant(type),
      value: valueOf[type] ?? fc.nat(),
    }),
  ),
  { minLength: 1, maxLength: 5, selector: ({ name }) => name },
);

describe('any entity key', () => {
  it('reads back as what was written, sorted by UTF-8 bytes', () => {
    fc.assert(
      fc.property(pairs, (entity) => {
        const bytes = serialize(
          entity,
          entity.map(({ value }) => value),
        );
        const { keys, rest } = parseEntityKey(redisKey(bytes, 'project'));
        const sorted = [...entity].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
        expect(keys).toEqual(sorted.map(({ name, type, value }) => ({ name, type, value })));
        expect(Buffer.from(rest).toString()).toBe('project');
      }),
    );
  });

  it('does not depend on the order in which the join keys are given', () => {
    fc.assert(
      fc.property(pairs, fc.infiniteStream(fc.nat()), (entity, random) => {
        const shuffled = entity
          .map((pair) => [random.next().value, pair] as const)
          .sort((a, b) => a[0] - b[0]);
        const other = shuffled.map(([, pair]) => pair);
        const of = (list: typeof entity): string =>
          hex(
            serialize(
              list,
              list.map(({ value }) => value),
            ),
          );
        expect(of(other)).toBe(of(entity));
      }),
    );
  });
});
