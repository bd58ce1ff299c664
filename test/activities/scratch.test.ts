import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeScratch } from '../../providers/own-folder.js';

it('gives each worker a folder of its own, also many at once in one process, and removes what dead processes left', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'granary-scratch-'));
  const host = hostname().replaceAll(/[^\w.-]/g, '_');
  // No process has this number: pids end below it.
  const dead = `${host}@99999999-x`;
  const earlier = `${host}@${process.pid}-of-an-earlier-life`;
  const elsewhere = 'another-host@1-x';
  for (const name of [dead, earlier, elsewhere]) await mkdir(join(parent, name));
  const folders = await Promise.all(Array.from({ length: 50 }, () => makeScratch(parent)));
  expect((await readdir(parent)).sort()).toEqual(
    [elsewhere, ...folders.map((folder) => folder.slice(parent.length + 1))].sort(),
  );
  await rm(parent, { recursive: true });
});
