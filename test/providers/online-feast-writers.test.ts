import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import type { OnlineView } from '../../providers/online/provider.js';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';
import { startFeast, type FeastProcess, type FeastRow } from '../support/feast-writer.js';
import { python } from '../support/python.js';
import { T0, userView, writeRows } from './online-rows.js';

const redis = process.env['REDIS_URL'] ?? '';
const provider = redisOnlineProvider({ url: redis || 'redis://127.0.0.1:1' });
afterAll(() => provider.close());

/** A row that somebody writes: Feast, or Granary with an order. Times are small numbers, in microseconds from T0. */
interface Write {
  readonly by: 'feast' | 'granary';
  readonly at: number;
  readonly promotion: number;
  readonly created: number;
  readonly generation: number;
}
const feast = (at: number): Write => ({ by: 'feast', at, promotion: 0, created: 0, generation: 0 });
const ours = (at: number, promotion = 1, created = 0, generation = 1): Write => {
  return { by: 'granary', at, promotion, created, generation };
};

/** What a store holds of one entity, as the design says it. */
interface Stored {
  row?: { readonly at: number; readonly value: number };
  /** The order of our last write or, with `dead`, of the removal. */
  mark?: Write & { readonly dead?: true };
}

/** The rule, in the fewest words. */
function decide(stored: Stored, write: Write, value: number, fence: number): void {
  const { row, mark } = stored;
  const set = (): void => {
    stored.row = { at: write.at, value };
    if (write.by === 'granary') stored.mark = write;
  };
  if (write.by === 'feast') {
    if (!row || write.at > row.at) set();
    return;
  }
  if (write.promotion < fence) return;
  if (!row) {
    if (!mark?.dead || isAfter(write, mark)) set();
  } else if (!mark) {
    if (write.at > row.at) set();
  } else if (!mark.dead && mark.at === row.at) {
    if (isAfter(write, mark)) set();
  } else if (write.promotion === mark.promotion ? write.at > row.at : write.promotion > mark.promotion) set();
}

function isAfter(a: Write, b: Write): boolean {
  for (const part of ['promotion', 'at', 'created', 'generation'] as const)
    if (a[part] !== b[part]) return a[part] > b[part];
  return false;
}

const EVERYTHING = [
  ...[1, 2, 3].map(feast),
  ...[1, 2, 3].map((at) => ours(at)),
  ours(2, 1, 0, 2),
  ours(2, 1, 1, 1),
  ours(1, 2),
  ours(3, 2),
];
const FEW = [feast(1), feast(3), ours(1), ours(2, 2), ours(3, 2), ours(1, 2)];

/** Every sequence of so many items. */
const sequences = <T>(items: readonly T[], length: number): T[][] =>
  length === 0 ? [[]] : sequences(items, length - 1).flatMap((head) => items.map((item) => [...head, item]));

describe.skipIf(python === undefined || redis === '')("Feast's writer between ours", () => {
  const start = Number(T0);
  let feastProcess: Promise<FeastProcess>;
  beforeAll(() => {
    feastProcess = startFeast(redis);
  });
  afterAll(async () => (await feastProcess)[Symbol.asyncDispose]());

  /** Plays one sequence an entity, all side by side, and compares the store with the model after each step. */
  async function play(
    version: 2 | 3,
    all: readonly (readonly Write[])[],
    removal?: { readonly after: number; readonly promotion: number; readonly at: number },
  ): Promise<void> {
    const store = redisOnlineProvider({ url: redis, entityKeySerialization: version });
    const view: OnlineView = userView();
    const other = (await feastProcess).open(view.project, version);
    const states = all.map((): Stored => ({}));
    const ids = all.map((_, id) => [BigInt(id)]);
    const wanted = (): unknown[] => states.map(({ row }) => (row ? [start + row.at, row.value] : null));
    let fence = 0;
    for (let step = 0; step < (all[0]?.length ?? 0); step++) {
      if (removal?.after === step) {
        await store.fence(view, removal.promotion);
        await store.removeBelow(view, removal.promotion, { eventTime: T0 + BigInt(removal.at) });
        fence = removal.promotion;
        for (const state of states) {
          if (!state.mark || state.mark.promotion >= fence) continue;
          delete state.row;
          state.mark = { ...ours(removal.at, fence, 0, 0), dead: true };
        }
      }
      const writes = all.map((sequence, id) => ({
        id,
        write: sequence[step] ?? feast(0),
        value: 10 * step + 1,
      }));
      for (const { id, write, value } of writes) decide(states[id] ?? {}, write, value, fence);
      const byFeast = writes.filter(({ write }) => write.by === 'feast');
      await other.write(byFeast.map(({ id, write, value }): FeastRow => [id, start + write.at, value]));
      for (const promotion of [1, 2])
        await writeRows(
          store,
          view,
          promotion,
          writes
            .filter(({ write }) => write.by === 'granary' && write.promotion === promotion)
            .map(({ id, write, value }) => ({
              id: BigInt(id),
              event: write.at,
              created: Number(-T0) + write.created,
              generation: write.generation,
              value: BigInt(value),
            })),
        );
      const found = await store.read(view, ids, ['f']);
      expect(found.map((row) => (row ? [Number(row.eventTime), Number(row.values[0])] : null))).toEqual(
        wanted(),
      );
    }
    expect(await other.read(all.map((_, id) => id))).toEqual(wanted());
    await store.remove(view, () => Promise.resolve(true));
    await store.close();
  }

  it.each([3, 2] as const)(
    'is compared by event time in every order, but for a promotion (keys of version %s)',
    async (version) => {
      await play(version, sequences(EVERYTHING, 3));
    },
    60_000,
  );

  it('brings a removed entity back, which is then compared with its row and not with the tombstone', async () => {
    await play(3, sequences(FEW, 4), { after: 2, promotion: 2, at: 2 });
  });
});

/** Vectors of what Feast's writer does with the same rows; they are not part of this repository. */
const folder = process.env['GRANARY_CASES'];

describe.skipIf(folder === undefined || redis === '')('where Feast and Granary decide otherwise', () => {
  /** By the vector's name: what Granary stores after each step, and why. All others are decided alike. */
  const DIFFERENCES: Readonly<Record<string, readonly [values: readonly number[], why: string]>> = {
    'skip_dedup: last write wins': [[2, 2], 'there is no such mode: newer always wins'],
    'epoch stored is falsy: anything overwrites, incl. older': [[1, 1], 'the epoch is a time like any other'],
    'pre-epoch stored: max(prev,0)=0 disables the check, anything overwrites': [
      [1, 1, 3],
      'so are times before it',
    ],
  };
  const { writeDecisions } = JSON.parse(
    folder === undefined
      ? '{"writeDecisions":[]}'
      : readFileSync(join(folder, 'feast-redis-vectors.json'), 'utf8'),
  ) as {
    writeDecisions: readonly {
      readonly name: string;
      readonly steps: readonly {
        readonly batch: readonly { readonly ts: string; readonly value: number }[];
        readonly storedValue: number;
      }[];
    }[];
  };

  it.each(writeDecisions.map((vector) => [vector.name, vector.steps] as const))('%s', async (name, steps) => {
    const view = userView();
    const expected = DIFFERENCES[name]?.[0] ?? steps.map(({ storedValue }) => storedValue);
    const found: unknown[] = [];
    for (const { batch } of steps) {
      await writeRows(
        provider,
        view,
        1,
        batch.map(({ ts, value }) => ({
          event: Number(Timestamp.from(ts).micros - T0),
          value: BigInt(value),
        })),
      );
      found.push(Number((await provider.read(view, [[1n]], ['f']))[0]?.values[0]));
    }
    expect(found).toEqual(expected);
    if (name in DIFFERENCES) expect(found).not.toEqual(steps.map(({ storedValue }) => storedValue));
  });

  it('and a correction lands: the same event time, of a higher generation', async () => {
    const view = userView();
    await writeRows(provider, view, 1, [{ event: 0, generation: 1, value: 1n }]);
    expect(await writeRows(provider, view, 1, [{ event: 0, generation: 2, value: 2n }])).toBe('1w 0o 0u');
  });

  it('names only vectors that there are', () => {
    const names = writeDecisions.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(DIFFERENCES)));
  });
});
