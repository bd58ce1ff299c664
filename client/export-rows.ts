import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RecordBatchStreamWriter, type RecordBatch } from 'apache-arrow';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { SPLIT_COLUMN } from '../definitions/split.js';
import { literal } from '../providers/offline/duckdb/sql-text.js';
import { FileHold } from '../providers/files/file-hold.js';
import type { FileRelation } from '../providers/offline/provider.js';
import { emptyBatch, recordBatches } from './arrow.js';
import type { LocalFile } from './dataset-rows.js';
import { partBatches, type RowParts } from './row-parts.js';
import { openScratch } from './scratch.js';

/** Parquet (zstd), CSV with a header, or Arrow's stream of record batches. */
export type ExportFormat = 'parquet' | 'csv' | 'arrow';

/**
 * Writes rows into one file, in constant memory, in their order. It has its name when it is whole; one that was there before is replaced.
 * A file that is these rows already is copied, byte for byte, and its checksum compared.
 * @throws GranaryError `InvalidInput` when the file cannot be written.
 */
export async function exportRows(rows: RowParts, path: string, format: ExportFormat): Promise<void> {
  const target = resolve(path);
  const making = `${target}.${randomUUID().slice(0, 8)}.part`;
  try {
    // What is wrong with the place is told before anything is read.
    await (await open(making, 'wx')).close();
  } catch (error) {
    throw new GranaryError(
      'InvalidInput',
      `"${path}" cannot be written: ${messageOf(error)}. Give a path in a folder that is there (${dirname(target)}) and may be written to.`,
      { cause: error },
    );
  }
  try {
    if (format === 'arrow') await writeArrow(rows, making);
    else if (!(await copyWhole(rows, making, format))) await writeByEngine(rows, making, format);
    await rename(making, target);
  } catch (error) {
    await rm(making, { force: true });
    if (messageOf(error).includes('ENOSPC'))
      throw new GranaryError('ResourcesExhausted', `The disk is full: "${path}" cannot be written.`, {
        cause: error,
      });
    throw error;
  }
}

async function copyWhole(
  { parts, split }: RowParts,
  target: string,
  format: 'parquet' | 'csv',
): Promise<boolean> {
  const [only, another] = parts;
  if (!only || another || split !== undefined) return false;
  await using hold = new FileHold();
  const file = await only.whole(format, hold);
  if (!file) return false;
  await copyBytes(file, target);
  return true;
}

async function copyBytes({ path, sha256 }: LocalFile, target: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(
    createReadStream(path),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(target),
  );
  const found = hash.digest('hex');
  if (sha256 !== undefined && found !== sha256)
    throw new GranaryError(
      'ChecksumMismatch',
      `${path} has the SHA-256 ${found}, but ${sha256} was recorded: somebody has changed the stored file. Nothing was exported.`,
    );
}

async function writeByEngine(
  { parts, schema, split }: RowParts,
  path: string,
  format: 'parquet' | 'csv',
): Promise<void> {
  await using scratch = await openScratch();
  const found: FileRelation[] = [];
  for (const part of parts) found.push(await part.files(scratch));
  const relation: FileRelation = {
    name: found[0]?.name ?? 'no rows',
    format: 'parquet',
    files: found.flatMap(({ files }) => files),
    schema,
  };
  const where = split === undefined ? {} : { where: `"${SPLIT_COLUMN}" = ${literal(split)}` };
  await scratch.session.copy(relation, { path, format, ...where });
}

async function writeArrow(rows: RowParts, path: string): Promise<void> {
  async function* batches(): AsyncGenerator<RecordBatch> {
    let none = true;
    for await (const batch of recordBatches(partBatches(rows), rows.schema)) {
      none = false;
      yield batch;
    }
    // The schema is written with the first batch.
    if (none) yield emptyBatch(rows.schema);
  }
  await pipeline(
    Readable.from(batches(), { highWaterMark: 1 }),
    RecordBatchStreamWriter.throughNode(),
    createWriteStream(path),
  );
}
