import type { LatestPointer } from './provider.js';

/** The text of `latest.json`: one key order, so that equal pointers are equal bytes in every store. */
export function latestJson({ version, interval, generation, files }: LatestPointer): string {
  const text = {
    version,
    interval: { start: interval.start, end: interval.end },
    generation,
    files: files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
  };
  return `${JSON.stringify(text, null, 2)}\n`;
}
