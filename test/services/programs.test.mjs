import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cachedProgram, inDraft, programFromArchive, programOnPath } from '../../services/programs.mjs';

let programs = '';
beforeEach(() => {
  programs = fs.mkdtempSync(path.join(os.tmpdir(), 'granary-programs-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  fs.rmSync(programs, { recursive: true, force: true });
});

const searchIn = () => ({ programs, tried: /** @type {string[]} */ ([]), log: () => {}, signal: undefined });

/**
 * A .tar.gz with one file in it.
 * @param {string} name
 * @param {string} data
 */
function archiveOf(name, data) {
  const block = Buffer.alloc(512 + Math.ceil(data.length / 512) * 512 + 1024);
  block.write(name, 0);
  block.write(data.length.toString(8), 124);
  block.write('0', 156);
  block.write(data, 512);
  return zlib.gzipSync(block);
}

/**
 * Serves one answer, and looks for the program at its address.
 * @param {number} status
 * @param {Buffer} body
 */
async function fetchFrom(status, body) {
  const server = http.createServer((_request, response) => response.writeHead(status).end(body));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const search = searchIn();
  const isRight = async (/** @type {string} */ file) => fs.readFileSync(file, 'utf8').includes('1.9.1');
  try {
    const where = { url: `http://127.0.0.1:${port}/`, member: /^temporal$/, isRight };
    return { found: await programFromArchive(search, 'temporal-1.9.1', where), tried: search.tried };
  } finally {
    server.close();
  }
}

describe('a program from an archive', () => {
  it('is kept under its version, ready to run, with nothing left beside it', async () => {
    const { found } = await fetchFrom(200, archiveOf('temporal', 'version 1.9.1'));
    const file = path.join(programs, 'temporal-1.9.1');
    expect(found?.path).toBe(file);
    expect(fs.readdirSync(programs)).toEqual(['temporal-1.9.1']);
    expect(fs.statSync(file).mode & 0o111).not.toBe(0);
    expect(cachedProgram(searchIn(), 'temporal-1.9.1')?.path).toBe(file);
    expect(cachedProgram(searchIn(), 'temporal-1.9.2')).toBeUndefined();
  });

  it.each([
    ['an error page', 404, Buffer.from('no such version'), /HTTP 404/],
    ['no archive', 200, Buffer.from('<html>log in first</html>'), /incorrect header check/],
    ['an archive of something else', 200, archiveOf('README', 'words'), /holds no/],
    ['another version', 200, archiveOf('temporal', 'version 1.9.0'), /what it sent is not temporal-1.9.1/],
  ])('is not taken from %s', async (_what, status, body, why) => {
    const { found, tried } = await fetchFrom(status, body);
    expect(found).toBeUndefined();
    expect(tried.join()).toMatch(why);
    expect(fs.readdirSync(programs)).toEqual([]);
  });
});

describe('a program on PATH', () => {
  beforeEach(() => {
    for (const name of ['valkey-server', 'redis-server'])
      fs.writeFileSync(path.join(programs, name), '', { mode: 0o755 });
    fs.writeFileSync(path.join(programs, 'no-program'), '');
    vi.stubEnv('PATH', `/nonexistent${path.delimiter}${programs}`);
  });

  it.each([
    ['the first of the names', ['valkey-server', 'redis-server'], async () => true, 'valkey-server'],
    ['the first that is new enough', ['valkey-server', 'redis-server'], isRedis, 'redis-server'],
    ['none that cannot be run', ['no-program'], async () => true, undefined],
    ['none that is not there', ['absent'], async () => true, undefined],
  ])('is %s', async (_what, names, isNewEnough, expected) => {
    const found = await programOnPath(searchIn(), names, isNewEnough);
    expect(found?.path).toBe(expected && path.join(programs, expected));
  });

  it('is not looked for when GRANARY_IGNORE_PATH is set', async () => {
    vi.stubEnv('GRANARY_IGNORE_PATH', '1');
    expect(await programOnPath(searchIn(), ['redis-server'], async () => true)).toBeUndefined();
  });
});

/** @param {string} file */
async function isRedis(file) {
  return file.endsWith('redis-server');
}

it('what a killed download left is removed by a later one, but not while it may be at work', async () => {
  for (const [name, age] of /** @type {const} */ ([
    ['draft-1-a', 7200],
    ['draft-2-b', 60],
  ])) {
    fs.mkdirSync(path.join(programs, name));
    const then = Date.now() / 1000 - age;
    fs.utimesSync(path.join(programs, name), then, then);
  }
  await inDraft({ programs }, async () => {});
  expect(fs.readdirSync(programs)).toEqual(['draft-2-b']);
});
