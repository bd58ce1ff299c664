import { afterAll } from 'vitest';
import { createS3World, type S3World } from '../support/s3.js';
import { fileConformance } from './files.conformance.js';

const worlds: S3World[] = [];
afterAll(async () => {
  for (const world of worlds) await world[Symbol.asyncDispose]();
});

fileConformance('S3', async () => {
  const world = createS3World();
  worlds.push(world);
  return Promise.resolve({
    open: () => world.open(),
    overwrite: (path, text) => world.put(path, text),
    names: (folder) => world.names(folder),
    rounds: 10,
  });
});
