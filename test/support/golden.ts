import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'vitest';

/** Where the expected output of commands lies. */
export const GOLDEN = 'test/golden/cli';

/** Compares a text with `test/golden/cli/<name>.txt`; with `GRANARY_UPDATE_GOLDEN=1` it is written instead. */
export async function expectGolden(name: string, text: string): Promise<void> {
  const file = join(GOLDEN, `${name}.txt`);
  if (process.env['GRANARY_UPDATE_GOLDEN'] === '1') {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    return;
  }
  const expected = await readFile(file, 'utf8').catch(() => '(there is no such file)');
  expect(text, `${file} differs; GRANARY_UPDATE_GOLDEN=1 writes it anew, then look at the difference`).toBe(
    expected,
  );
}

/**
 * What differs from run to run, by what it is: ids, times, durations, addresses, the names of a test's own; and with them the width of columns.
 * @param own texts of the test's own -> what stands for them
 */
export function settled(text: string, own: Readonly<Record<string, string>> = {}): string {
  let result = stripVTControlCharacters(text);
  for (const [from, to] of Object.entries(own)) result = result.replaceAll(from, to);
  return result
    .replaceAll(/[0-9a-f]{64}/g, '<sha256>')
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<run>')
    .replaceAll(/\bv_\d{8}T\d{6}\b/g, '<version>')
    .replaceAll(/(?!2026-01-)20\d\d-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/granary\/\d+\.\d+\.\d+\S* \d+@[\w.-]+/g, '<worker>')
    .replaceAll(/\b(\d+ h )?(\d+ min )?\d+(\.\d+)? (ms|s|min)\b/g, '<duration>')
    .replaceAll(/"ms": \{[^}]*\}/g, '"ms": {...}')
    .replaceAll(/"ms": \d+/g, '"ms": 0')
    .replaceAll(/\b(host@)\d+/g, '$1<pid>')
    .replaceAll(/\bNode \d+\.\d+\.\d+/g, 'Node <version>')
    .replaceAll(/(redis|http):\/\/[\d.]+:\d+/g, '$1://host')
    .replaceAll(/step-\w{6}\b/g, 'step-<attempt>')
    .replaceAll(/\.\.\. [\d,]+ characters \.\.\./g, '... <n> characters ...')
    .replaceAll(/(?<=\S) {2,}/g, '  ')
    .replaceAll(/ +$/gm, '');
}
