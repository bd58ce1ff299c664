import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { CRASH_POINTS } from '../../activities/crash-points.js';

it('docs/storage.md says of every crash point what is left and who repairs it, once', async () => {
  const text = await readFile('docs/storage.md', 'utf8');
  const rows = [...text.matchAll(/^\| (`[a-z-]+\.[a-z-]+`(?:, `[a-z-]+\.[a-z-]+`)*) \|/gm)];
  const documented = rows.flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '));
  expect(documented.sort()).toEqual([...CRASH_POINTS].sort());
});
