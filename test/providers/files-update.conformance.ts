import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { FileProvider } from '../../providers/files/provider.js';
import type { FileStoreUnderTest } from './file-store.js';

const PATH = 'feast/dev/registry.pb';
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString();

/** What a store of files owes to `update`. `now` gives the store of the test that runs. */
export function updateConformance(
  now: () => { readonly store: FileStoreUnderTest; readonly files: FileProvider },
): void {
  describe('update', () => {
    let store: FileStoreUnderTest;
    let files: FileProvider;
    beforeEach(() => {
      ({ store, files } = now());
    });
    const to = (next: string | undefined) => () =>
      Promise.resolve(next === undefined ? undefined : Buffer.from(next));

    it('makes a file, replaces it by what is made of it, and leaves it alone where that is nothing', async () => {
      expect(await files.update(PATH, to(undefined))).toBe('unchanged');
      expect(await files.readText(PATH)).toBeUndefined();
      expect(await files.update(PATH, async (bytes) => Promise.resolve(Buffer.from(`${text(bytes)}`)))).toBe(
        'written',
      );
      expect(
        await files.update(PATH, async (bytes) => Promise.resolve(Buffer.from(`${text(bytes)} once`))),
      ).toBe('written');
      expect(await files.update(PATH, to(undefined))).toBe('unchanged');
      expect(await files.readText(PATH)).toBe('undefined once');
      expect(await files.list('')).toEqual([PATH]);
    });

    it('keeps bytes that are no text', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
      await files.update(PATH, () => Promise.resolve(bytes));
      await files.update(PATH, (found) => {
        expect(Buffer.from(found ?? []).equals(bytes)).toBe(true);
        return Promise.resolve(undefined);
      });
    });

    it('takes what others put there for the bytes to replace', async () => {
      await store.overwrite(PATH, 'of Feast');
      await files.update(PATH, (bytes) => Promise.resolve(Buffer.from(`${text(bytes)} and Granary`)));
      expect(await files.readText(PATH)).toBe('of Feast and Granary');
    });

    it('loses nothing of writers side by side, and leaves nothing else behind', async () => {
      const writers = 6;
      const rounds = store.rounds === undefined ? 10 : 3;
      const opened = Array.from({ length: writers }, () => store.open());
      await Promise.all(
        opened.map(async (provider, writer) => {
          for (let round = 0; round < rounds; round++)
            await provider.update(PATH, (bytes) =>
              Promise.resolve(Buffer.from(`${text(bytes) ?? ''}${writer}.${round} ${randomUUID()}\n`)),
            );
        }),
      );
      const lines = ((await files.readText(PATH)) ?? '').trimEnd().split('\n');
      const expected = opened.flatMap((_, writer) =>
        Array.from({ length: rounds }, (__, round) => `${writer}.${round}`),
      );
      expect(lines.map((line) => line.split(' ')[0]).sort()).toEqual(expected.sort());
      expect((await store.names('feast/dev')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      await Promise.all(opened.map((provider) => provider.close()));
    });

    it('has a writer who slept after it read begin again, so that the older state never wins', async () => {
      let state = 1;
      let asked = 0;
      let wake = (): void => undefined;
      let sleeps = (): void => undefined;
      const asleep = new Promise<void>((resolve) => (sleeps = resolve));
      const sleeper = files.update(PATH, async () => {
        const read = state;
        asked += 1;
        if (asked === 1)
          await new Promise<void>((resolve) => {
            wake = resolve;
            sleeps();
          });
        return Buffer.from(`state ${read} ${randomUUID()}`);
      });
      await asleep;
      state = 2;
      await store.open().update(PATH, () => Promise.resolve(Buffer.from(`state ${state} ${randomUUID()}`)));
      wake();
      await sleeper;
      expect(asked).toBe(2);
      expect(await files.readText(PATH)).toMatch(/^state 2 /);
    });
  });
}
