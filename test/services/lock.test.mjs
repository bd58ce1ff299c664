import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../../services/lock.mjs';

let folder = '';
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'granary-lock-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const module = new URL('../../services/lock.mjs', import.meta.url).href;

/**
 * A process that takes the lock, does something, and says `held` at first.
 * @param {string} work
 */
function holder(work) {
  const program = `import { withLock } from ${JSON.stringify(module)};
    import fs from 'node:fs';
    await withLock(process.argv[1], async () => { console.log('held'); ${work} });`;
  return spawn(process.execPath, ['--input-type=module', '-e', program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('a lock', () => {
  it('is taken over from a holder that was killed', async () => {
    const dead = holder('await new Promise((resolve) => setTimeout(resolve, 60_000));');
    await once(dead.stdout, 'data');
    let entered = false;
    const waiting = withLock(folder, async () => {
      entered = true;
    });
    await sleep(200);
    expect(entered).toBe(false);
    dead.kill('SIGKILL');
    await waiting;
    expect(entered).toBe(true);
  });

  it('is never held by two at once, by processes or by calls in one process', async () => {
    const counter = path.join(folder, 'counter');
    fs.writeFileSync(counter, '0');
    // Reads, lets others run, writes: with two inside at once an increment is lost.
    const increment = `for (let left = 5; left > 0; left--) {
      const value = Number(fs.readFileSync(${JSON.stringify(counter)}, 'utf8'));
      await new Promise((resolve) => setTimeout(resolve, 2));
      fs.writeFileSync(${JSON.stringify(counter)}, String(value + 1));
    }`;
    const processes = [1, 2, 3].map(() => once(holder(increment), 'exit'));
    const calls = Array.from({ length: 10 }, () =>
      withLock(folder, async () => {
        const value = Number(fs.readFileSync(counter, 'utf8'));
        await sleep(2);
        fs.writeFileSync(counter, String(value + 1));
      }),
    );
    await Promise.all([...processes, ...calls]);
    expect(fs.readFileSync(counter, 'utf8')).toBe('25');
  });

  it('is free again after its holder failed', async () => {
    await expect(withLock(folder, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(withLock(folder, async () => 'next')).resolves.toBe('next');
  });

  it('is no longer waited for when the caller gives up', async () => {
    const holding = holder('await new Promise((resolve) => setTimeout(resolve, 60_000));');
    await once(holding.stdout, 'data');
    const giveUp = AbortSignal.timeout(100);
    await expect(withLock(folder, async () => {}, { signal: giveUp })).rejects.toThrow(/aborted/);
    holding.kill('SIGKILL');
  });
});
