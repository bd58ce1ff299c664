import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../definitions/errors.js';
import type { Environment } from '../definitions/project.js';
import { describeSecret, fromEnv, type Secret } from '../definitions/secret.js';
import { readSecret } from '../providers/secrets.js';
import { failed, ok, warning, type Finding } from './doctor-findings.js';

/** Below this an interval of any size is likely to fill the disk. */
const SCARCE_BYTES = 2 * 2 ** 30;

/** The version of Node that runs this, beside what the package asks for. */
export function checkNode(running = process.versions.node): Finding {
  const wanted = wantedNode();
  if (isAtLeast(running, wanted)) return ok('node', running);
  return failed('node', `${running}, and granary needs ${wanted} or newer`, 'Install a newer Node.');
}

/** `engines.node` of this package, `>=20.19`, without the sign. */
function wantedNode(): string {
  // From lib/cli it lies one folder further up.
  for (const path of ['../package.json', '../../package.json'])
    try {
      const { name, engines } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        readonly name?: string;
        readonly engines?: { readonly node?: string };
      };
      if (name === 'granary' && engines?.node !== undefined) return engines.node.replace(/^\D+/, '');
    } catch {
      // Not there: the next one.
    }
  return '0';
}

function isAtLeast(running: string, wanted: string): boolean {
  const [a, b] = [running, wanted].map((text) => text.split('.').map(Number));
  for (const [i, least] of (b ?? []).entries()) {
    const own = a?.[i] ?? 0;
    if (own !== least) return own > least;
  }
  return true;
}

/** Whether every secret that an environment names is there; values are not shown. */
export function checkSecrets(name: string, { bind, registry }: Environment): Finding {
  const missing = secretsIn({
    registry: registry ?? { url: fromEnv('GRANARY_REGISTRY_URL') },
    bind,
  }).filter(({ secret }) => (readSecret(secret) ?? '') === '');
  if (missing.length === 0) return ok('secrets', `all that the environment ${name} names are set`);
  return failed(
    'secrets',
    `not set: ${missing.map(({ place, secret }) => `${describeSecret(secret)} (${place})`).join(', ')}`,
    'Set them here and where the workers run.',
  );
}

/** Every secret within a value, with the fields that lead to it. */
function secretsIn(value: unknown, place = ''): { readonly place: string; readonly secret: Secret }[] {
  if (typeof value !== 'object' || value === null) return [];
  const [key, ...others] = Object.keys(value);
  if (others.length === 0 && (key === 'env' || key === 'file') && typeof Object.values(value)[0] === 'string')
    return [{ place, secret: value as Secret }];
  return Object.entries(value).flatMap(([field, inner]) =>
    secretsIn(inner, place === '' ? field : `${place}.${field}`),
  );
}

/** Whether files in the making have a place: the folder that workers use unless they are told another. */
export async function checkScratch(parent = join(tmpdir(), 'granary')): Promise<Finding> {
  try {
    await mkdir(parent, { recursive: true });
    const probe = join(parent, `doctor-${randomUUID()}`);
    await writeFile(probe, '');
    await rm(probe);
    const { bavail, bsize } = await statfs(parent);
    const free = `${((Number(bavail) * Number(bsize)) / 2 ** 30).toFixed(1)} GiB free in ${parent}`;
    if (bavail * bsize >= SCARCE_BYTES) return ok('scratch space', free);
    return warning('scratch space', free, 'Free some, or set TMPDIR to a folder on a larger disk.');
  } catch (error) {
    return failed(
      'scratch space',
      `nothing can be written in ${parent}: ${messageOf(error)}`,
      'Set TMPDIR to a folder that this user may write.',
    );
  }
}
