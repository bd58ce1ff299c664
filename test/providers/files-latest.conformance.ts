import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { FileProvider, LatestPointer, StoredFile } from '../../providers/files/provider.js';
import { type FileStoreUnderTest, sha } from './file-store.js';

/** What a store of files owes to `latest.json` and `latest/`. `now` gives the store of the test that runs. */
export function latestConformance(
  now: () => {
    readonly store: FileStoreUnderTest;
    readonly files: FileProvider;
    readonly stage: (text: string) => Promise<StoredFile>;
  },
): void {
  describe('latest', () => {
    let store: FileStoreUnderTest;
    let files: FileProvider;
    let stage: (text: string) => Promise<StoredFile>;
    beforeEach(() => {
      ({ store, files, stage } = now());
    });
    const pointer = (day: number): LatestPointer => ({
      version: `v_${String(day).padStart(4, '0')}`,
      interval: { start: `2001-03-${day}`, end: `2001-03-${day + 1}` },
      generation: day,
      files: [{ path: 'features.csv', bytes: 2, sha256: sha(`v${day}`) }],
    });
    const publish = async (day: number, folder = 'f'): Promise<void> => {
      await files.publish(await stage(`v${day}`), `${folder}/${pointer(day).version}/features.csv`);
    };
    const yes = async (): Promise<boolean> => Promise.resolve(true);
    const pointed = async (): Promise<unknown> =>
      JSON.parse((await files.readText('f/latest.json')) ?? 'null');

    it('moves, is unchanged when asked again, moves on, and never leaves anything else', async () => {
      await publish(1);
      await publish(2);
      expect(await files.pointLatest('f', pointer(1), yes)).toBe('moved');
      expect(await files.readText('f/latest/features.csv')).toBe('v1');
      expect(await files.pointLatest('f', pointer(1), yes)).toBe('unchanged');
      expect(await store.open().pointLatest('f', pointer(1), yes)).toBe('unchanged');
      expect(await files.pointLatest('f', pointer(2), yes)).toBe('moved');
      expect(await files.readText('f/latest/features.csv')).toBe('v2');
      expect(await store.names('f')).toEqual(['latest', 'latest.json', 'v_0001', 'v_0002']);
    });

    it('writes latest.json with one order of keys', async () => {
      await publish(1);
      const { files: list, generation, interval, version } = pointer(1);
      await files.pointLatest('f', { files: list, generation, interval, version }, yes);
      expect(await files.readText('f/latest.json')).toBe(
        `{\n  "version": "v_0001",\n  "interval": {\n    "start": "2001-03-1",\n    "end": "2001-03-2"\n  },\n  "generation": 1,\n  "files": [\n    {\n      "path": "features.csv",\n      "bytes": 2,\n      "sha256": "${sha('v1')}"\n    }\n  ]\n}\n`,
      );
    });

    it('changes nothing for a version that is not the newest', async () => {
      await publish(1);
      await publish(2);
      await files.pointLatest('f', pointer(2), yes);
      expect(await files.pointLatest('f', pointer(1), async () => Promise.resolve(false))).toBe('superseded');
      expect(await pointed()).toEqual(pointer(2));
      expect(await store.names('f')).toEqual(['latest', 'latest.json', 'v_0001', 'v_0002']);
    });

    it('repairs a latest.json that is wrong', async () => {
      await publish(1);
      await files.pointLatest('f', pointer(1), yes);
      await store.overwrite('f/latest.json', '{"version":');
      expect(await files.pointLatest('f', pointer(1), yes)).toBe('moved');
      expect(await pointed()).toEqual(pointer(1));
    });

    it('changes nothing when its writer slept between the check and the write while a newer one moved', async () => {
      await publish(1);
      await publish(2);
      let newest = 1;
      let asked = (): void => {};
      let wake = (): void => {};
      const sleeping = new Promise<void>((resolve) => (asked = resolve));
      const awake = new Promise<void>((resolve) => (wake = resolve));
      let calls = 0;
      const sleeper = store.open().pointLatest('f', pointer(1), async () => {
        const answer = newest === 1;
        // The last question before the write, however often a store asks before: the others are answered at once.
        if (answer && ++calls === 2) {
          asked();
          await awake;
        }
        return answer;
      });
      await Promise.race([sleeping, sleeper]);
      newest = 2;
      expect(await files.pointLatest('f', pointer(2), yes)).toBe('moved');
      wake();
      expect(await sleeper).toBe('superseded');
      expect(await pointed()).toEqual(pointer(2));
      expect(await files.readText('f/latest/features.csv')).toBe('v2');
    });

    it('removes what a writer left that was killed between its check and its write', async () => {
      await publish(1);
      await publish(2);
      let calls = 0;
      const asked = new Promise<void>((resolve) => {
        void store.open().pointLatest('f', pointer(1), async () => {
          if (++calls < 2) return true;
          resolve();
          return new Promise<boolean>(() => {});
        });
      });
      await asked;
      expect(await files.pointLatest('f', pointer(2), yes)).toBe('moved');
      expect(await store.names('f')).toEqual(['latest', 'latest.json', 'v_0001', 'v_0002']);
    });

    it('removes its own unfinished files when the registry cannot be asked', async () => {
      await publish(1);
      let calls = 0;
      const failing = files.pointLatest('f', pointer(1), async () => {
        if (++calls > 1) throw new Error('registry is down');
        return Promise.resolve(true);
      });
      await expect(failing).rejects.toThrow('registry is down');
      expect(await store.names('f')).toEqual(['v_0001']);
    });

    it('ends at the newest version whatever the order and the delays, and readers always see a whole one', async () => {
      const writer = fc.record({
        day: fc.integer({ min: 1, max: 5 }),
        begin: fc.nat(12),
        delays: fc.array(fc.nat(8), { minLength: 1 }),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(writer, { minLength: 2, maxLength: 8 }), async (writers) => {
          const folder = `round${round++}`;
          for (const day of new Set(writers.map((each) => each.day))) await publish(day, folder);
          let newest = 0;
          let open = true;
          const seen: number[] = [];
          const reader = (async () => {
            while (open) {
              const text = await files.readText(`${folder}/latest.json`);
              if (text === undefined) expect(seen).toEqual([]);
              else seen.push((JSON.parse(text) as LatestPointer).generation);
              await sleep(0);
            }
          })();
          await Promise.all(
            writers.map(async ({ day, begin, delays }) => {
              await sleep(begin);
              newest = Math.max(newest, day);
              let call = 0;
              await store.open().pointLatest(folder, pointer(day), async () => {
                const answer = newest === day;
                await sleep(delays[call++ % delays.length]);
                return answer;
              });
            }),
          );
          open = false;
          await reader;
          expect(JSON.parse((await files.readText(`${folder}/latest.json`)) ?? '')).toEqual(pointer(newest));
          expect(seen).toEqual([...seen].sort((a, b) => a - b));
          expect(await files.readText(`${folder}/latest/features.csv`)).toBe(`v${newest}`);
          const left = (await store.names(folder)).filter((name) => !name.startsWith('v_'));
          expect(left).toEqual(['latest', 'latest.json']);
        }),
        { numRuns: store.rounds ?? 60 },
      );
    });
  });
}
