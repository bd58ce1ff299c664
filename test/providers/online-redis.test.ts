import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, it } from 'vitest';
import { EntityKeySerializer } from '../../feast/entity-key.js';
import { featureField, redisKey, timestampField } from '../../feast/redis-layout.js';
import { encodeTimestamp } from '../../feast/timestamp.js';
import { encodeValue } from '../../feast/value.js';
import type { OnlineView } from '../../providers/online/provider.js';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';
import { cuttingProxy } from './cutting-proxy.js';
import { readValue, T0, type TestRow, userView, writeRows } from './online-rows.js';

const url = process.env['REDIS_URL'];

describe.skipIf(url === undefined)('online store redis, in its own layout (needs REDIS_URL)', () => {
  const provider = redisOnlineProvider({ url: url ?? 'redis://127.0.0.1' });
  const redis = new Redis(url ?? '', { lazyConnect: true });
  afterAll(async () => {
    await provider.close();
    redis.disconnect();
  });

  const keyOf = (view: OnlineView, ...values: unknown[]): Buffer =>
    Buffer.from(redisKey(new EntityKeySerializer(view.joinKeys).serialize(values), view.project));
  const write = (view: OnlineView, row: TestRow, promotion = 1): Promise<string> =>
    writeRows(provider, view, promotion, [row]);

  /** Writes as Feast does: a plain HSET of the value and `_ts`, the decision taken before. */
  async function feastWrite(view: OnlineView, event: number, value: bigint): Promise<void> {
    await redis.hset(
      keyOf(view, 1n),
      Buffer.from(featureField(view.name, 'f')),
      Buffer.from(encodeValue('int64', value)),
      Buffer.from(timestampField(view.name)),
      Buffer.from(encodeTimestamp(T0 + BigInt(event))),
    );
  }

  it('writes the bytes that Feast writes, and beside them only the order', async () => {
    const project = 'features_dev';
    const view: OnlineView = {
      project,
      name: 'user_features',
      joinKeys: [{ name: 'user_id', type: 'int64' }],
      features: [
        { name: 'f_total_events_7d', type: 'int64' },
        { name: 'f_avg_amount_30d', type: 'float64' },
        { name: 'f_last_country', type: 'string' },
        { name: 'f_null', type: 'string' },
      ],
    };
    const key = Buffer.from(
      '010000000200000007000000757365725f69640400000008000000e90300000000000066656174757265735f646576',
      'hex',
    );
    await redis.del(key);
    await provider.write(view, 1, {
      rows: 1,
      keys: [[1001n]],
      values: [[17n], [12.5], ['PL'], [null]],
      eventTimes: [T0],
      createdTimes: [null],
      generations: [3],
    });
    const stored = await redis.hlen(key);
    const fields = await redis.hkeysBuffer(key);
    const values = await redis.hvalsBuffer(key);
    const byField = Object.fromEntries(
      fields.map((field, i) => [field.toString('latin1'), values[i]?.toString('hex')]),
    );
    expect(stored).toBe(6);
    const latin = (hexText: string): string => Buffer.from(hexText, 'hex').toString('latin1');
    expect(byField).toEqual({
      [latin('8deb425f')]: '2011',
      [latin('65393b2a')]: '290000000000002940',
      [latin('06092932')]: '1202504c',
      [latin('8ec22652')]: '',
      '_ts:user_features': '0880f2d6ca06',
      // promotion 1, event time, created time 0, both + 2^63, generation 3, the bytes of _ts.
      '__granary:user_features':
        '000000018006474846204000' + '8000000000000000' + '0000000000000003' + '0880f2d6ca06',
    });
    await redis.del(key);
  });

  it('shares one hash among the views of an entity', async () => {
    const first = userView();
    const second = { ...first, name: 'user_risk' };
    await write(first, { event: 0, value: 1n });
    await write(second, { event: 9, value: 2n });
    expect(await redis.hlen(keyOf(first, 1n))).toBe(6);
    expect([await readValue(provider, first), await readValue(provider, second)]).toEqual([1n, 2n]);
  });

  describe('with Feast writing too', () => {
    it.each([
      ['an older row of ours is dropped', 10, 9, '0w 1o 0u', 100n],
      ['a row of ours at the same instant is dropped', 10, 10, '0w 0o 1u', 100n],
      ['a newer row of ours is written', 10, 11, '1w 0o 0u', 1n],
      ['a newer row by a second', 999_999, 1_000_000, '1w 0o 0u', 1n],
      ['an older row by 2^32 seconds', 0, -(2 ** 32) * 1e6, '0w 1o 0u', 100n],
      ['a row before 1970 is older than one after', 0, Number(-T0) - 1, '0w 1o 0u', 100n],
      ['a row after 1970 is newer than one before', Number(-T0) - 1, Number(-T0), '1w 0o 0u', 1n],
      ['before 1970, half a second newer', Number(-T0) - 1_500_000, Number(-T0) - 1_000_000, '1w 0o 0u', 1n],
      [
        'before 1970, half a second older',
        Number(-T0) - 1_000_000,
        Number(-T0) - 1_500_000,
        '0w 1o 0u',
        100n,
      ],
      ['2^32 seconds after 1970 is newer', 0, 2_527_841_696_000_000, '1w 0o 0u', 1n],
      ['2^32 seconds after 1970 is kept', 2_527_841_696_000_000, 0, '0w 1o 0u', 100n],
      ['the year 9999 is newer', 0, 251_634_000_000_000_000, '1w 0o 0u', 1n],
      ['the year 9999 is kept', 251_634_000_000_000_000, 0, '0w 1o 0u', 100n],
    ])('alone before us: %s', async (_, feast, ours, counts, value) => {
      const view = userView();
      await feastWrite(view, feast, 100n);
      expect(await write(view, { event: ours, created: 5, generation: 9, value: 1n })).toBe(counts);
      expect(await readValue(provider, view)).toBe(value);
    });

    it.each([
      // ours, then Feast, then ours: what decides is the event time alone.
      [0, 5, 4, '0w 1o 0u', 100n],
      [0, 5, 5, '0w 0o 1u', 100n],
      [0, 5, 6, '1w 0o 0u', 2n],
      [0, 5, 0, '0w 1o 0u', 100n],
    ])('ours at %i, Feast at %i, ours at %i', async (first, feast, second, counts, value) => {
      const view = userView();
      await write(view, { event: first, value: 1n });
      await feastWrite(view, feast, 100n);
      expect((await provider.read(view, [[1n]], ['f']))[0]).toEqual({
        values: [100n],
        eventTime: T0 + BigInt(feast),
        order: undefined,
      });
      expect(await write(view, { event: second, created: 9, generation: 9, value: 2n })).toBe(counts);
      expect(await readValue(provider, view)).toBe(value);
    });

    it.each([
      // Feast, ours, Feast, ours, with the instants that Feast itself would write at.
      [1, 2, 3, 4, '1w 0o 0u', 2n],
      [1, 2, 3, 3, '0w 0o 1u', 300n],
      [1, 2, 3, 2, '0w 1o 0u', 300n],
    ])('Feast at %i, ours at %i, Feast at %i, ours at %i', async (f1, o1, f2, o2, counts, value) => {
      const view = userView();
      await feastWrite(view, f1, 100n);
      expect(await write(view, { event: o1, value: 1n })).toBe('1w 0o 0u');
      await feastWrite(view, f2, 300n);
      expect(await write(view, { event: o2, value: 2n })).toBe(counts);
      expect(await readValue(provider, view)).toBe(value);
    });

    it('a promotion overwrites what Feast wrote since, a row of an older promotion never does', async () => {
      const view = userView();
      await write(view, { event: 0, value: 1n }, 2);
      await feastWrite(view, 5, 100n);
      expect(await write(view, { event: 9, value: 2n }, 1)).toBe('0w 1o 0u');
      expect(await write(view, { event: 1, value: 3n }, 3)).toBe('1w 0o 0u');
      expect(await readValue(provider, view)).toBe(3n);
    });

    it('no promotion is known where Feast wrote alone', async () => {
      const view = userView();
      await feastWrite(view, 5, 100n);
      expect(await write(view, { event: 1, value: 3n }, 7)).toBe('0w 1o 0u');
    });

    it('rows come back after Feast deleted the view', async () => {
      const view = userView();
      const other = { ...view, name: 'other' };
      await write(view, { event: 0, value: 1n });
      await write(other, { event: 0, value: 5n });
      await redis.hdel(
        keyOf(view, 1n),
        Buffer.from(featureField(view.name, 'f')),
        Buffer.from(timestampField(view.name)),
      );
      expect(await readValue(provider, view)).toBeUndefined();
      expect(await write(view, { event: 0, value: 1n })).toBe('1w 0o 0u');
      expect([await readValue(provider, view), await readValue(provider, other)]).toEqual([1n, 5n]);
    });

    it('an order that is cut short counts as none', async () => {
      const view = userView();
      await write(view, { event: 0, value: 1n });
      await redis.hset(keyOf(view, 1n), `__granary:${view.name}`, 'short');
      expect(await write(view, { event: 0, value: 2n })).toBe('0w 0o 1u');
      expect(await write(view, { event: 1, value: 2n })).toBe('1w 0o 0u');
    });
  });

  it('loads the script again after SCRIPT FLUSH, with many calls in flight', async () => {
    const view = userView();
    const rows = Array.from({ length: 2000 }, (_, i) => ({ id: BigInt(i), event: 0, value: BigInt(i) }));
    await redis.script('FLUSH');
    expect(await writeRows(provider, view, 1, rows)).toBe('2000w 0o 0u');
    await redis.script('FLUSH');
    expect(await writeRows(provider, view, 1, rows)).toBe('0w 0o 2000u');
  });

  it('goes on after its connection was cut, again and again, in the middle of a load', async () => {
    const view = userView();
    const proxy = await cuttingProxy(new URL(url ?? ''));
    const loader = redisOnlineProvider({ url: proxy.url });
    const rows = Array.from({ length: 20_000 }, (_, i) => ({ id: BigInt(i), event: 0, value: BigInt(i) }));
    try {
      let done = false;
      const load = writeRows(loader, view, 1, rows).finally(() => (done = true));
      let cuts = 0;
      while (!done) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (!done && cuts < 3) cuts += proxy.cut();
      }
      expect(cuts).toBeGreaterThan(0);
      // A call whose answer was lost is sent again and finds its own rows.
      const [written = 0, older, unchanged = 0] = (await load).match(/\d+/g)?.map(Number) ?? [];
      expect([written + unchanged, older]).toEqual([rows.length, 0]);
      const keys = rows.map(({ id }) => [id]);
      const stored = await provider.read(view, keys, ['f']);
      expect(stored.map((row) => row?.values[0])).toEqual(rows.map(({ value }) => value));
    } finally {
      await loader.close();
      proxy.close();
    }
  });

  it('names the key that holds something else than a hash', async () => {
    const view = userView();
    const key = keyOf(view, 7n);
    await redis.set(key, 'text');
    const rows = Array.from({ length: 10 }, (_, i) => ({ id: BigInt(i), event: 0, value: 1n }));
    await expect(writeRows(provider, view, 1, rows)).rejects.toMatchObject({
      code: 'SchemaMismatch',
      message: expect.stringContaining(`0x${key.toString('hex')} of row 7 holds a string`) as string,
    });
    await expect(provider.read(view, [[7n]], ['f'])).rejects.toMatchObject({ code: 'SchemaMismatch' });
    // Failed calls must not use up the places of those in flight.
    for (let i = 0; i < 50; i++) await expect(writeRows(provider, view, 1, rows)).rejects.toThrow();
    await redis.del(key);
  });

  it('names a user that the server does not know as a matter of configuration', async () => {
    const wrong = new URL(url ?? '');
    wrong.username = 'nobody';
    wrong.password = 's3cret';
    const refused = redisOnlineProvider({ url: wrong.href });
    const error: unknown = await refused.check().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ConfigurationMissing' });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('s3cret');
    await refused.close();
  });
});
