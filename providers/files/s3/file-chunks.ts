import { createReadStream } from 'node:fs';
import { fileError } from '../file-errors.js';

/** The bytes of a local file, a piece at a time. */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) yield chunk as Uint8Array;
  } catch (error) {
    throw fileError(error, path);
  }
}
