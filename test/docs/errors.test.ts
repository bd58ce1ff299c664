import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { ERROR_CODES } from '../../definitions/errors.js';

it('docs/errors.md lists every code, and says truly which are retried', async () => {
  const text = await readFile('docs/errors.md', 'utf8');
  const documented = [...text.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)].map(([, code, rest = '']) => {
    const [meaning, retried, cause, remedy] = rest.split(' | ').map((cell) => cell.trim());
    return { code, meaning, retried, complete: Boolean(cause && remedy) };
  });
  const declared = Object.entries(ERROR_CODES).map(([code, { retryable, meaning }]) => ({
    code,
    meaning,
    retried: retryable ? 'yes' : 'no',
    complete: true,
  }));
  expect(documented).toEqual(declared);
});
