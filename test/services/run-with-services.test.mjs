import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { purgeServices, serviceStatus } from '../../services/index.mjs';

let dir = '';
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'granary-run-'));
});
afterEach(async () => {
  await purgeServices({ dir });
  fs.rmSync(dir, { recursive: true, force: true });
});

const running = () => serviceStatus({ dir }).filter(({ pid }) => pid !== undefined).length;

/**
 * A process, as demo.mjs and test.mjs are one, that runs this program with services up.
 * @param {string} program
 * @param {string} [options]
 */
function runner(program, options = '') {
  const { TEMPORAL_ADDRESS, DATABASE_URL, REDIS_URL, S3_ENDPOINT, ...env } = process.env;
  const script = `
    import { runWithServices } from ${JSON.stringify(new URL('../../scripts/run-with-services.mjs', import.meta.url).href)};
    const [dir, program] = process.argv.slice(1);
    const log = (part, message) => console.log(part, message);
    process.exitCode = await runWithServices(['-e', program], { dir, log, ${options} });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dir, program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, TEMPORAL_NAMESPACE: 'elsewhere', TEMPORAL_API_KEY: 'secret', AWS_PROFILE: 'elsewhere' },
  });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  /** @param {string} text */
  const said = (text) => expect.poll(() => output, { timeout: 30_000 }).toContain(text);
  return { child, said, output: () => output, ended: once(child, 'close') };
}

describe('a program with services', () => {
  it('ends with its own status, and the services end with it', async () => {
    const { said, ended } = runner(`
      const { TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_ADDRESS, DATABASE_URL, S3_ENDPOINT, AWS_PROFILE } = process.env;
      console.log('sees', TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, AWS_PROFILE, !!TEMPORAL_ADDRESS && !!DATABASE_URL && !!S3_ENDPOINT);
      process.exit(3);`);
    await said('sees undefined undefined undefined true');
    expect(await ended).toEqual([3, null]);
    expect(running()).toBe(0);
  });

  it('gets the signal that its runner gets, may end in its own time, and the services end after it', async () => {
    const { child, said, ended } = runner(`
      setInterval(() => {}, 1000);
      process.on('SIGTERM', () => setTimeout(() => { console.log('tidied up'); process.exit(7); }, 300));
      console.log('works');`);
    await said('works');
    child.kill('SIGTERM');
    expect(await ended).toEqual([7, null]);
    await said('tidied up');
    expect(running()).toBe(0);
  });

  it('is not started when the signal comes during the set-up, and what was begun is stopped', async () => {
    const { child, said, output, ended } = runner(`console.log('started all the same')`);
    await said('redis'); // the first part that is up, or cannot be had
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(output()).not.toContain('started all the same');
    expect(running()).toBe(0);
  });

  it('leaves the services running where that is asked for', async () => {
    const { said, ended } = runner(
      '',
      `keep: true, whenKept: (env) => console.log('kept', Object.keys(env).join())`,
    );
    expect(await ended).toEqual([0, null]);
    await said('kept TEMPORAL_ADDRESS');
    expect(running()).toBeGreaterThanOrEqual(2);
  });
});
