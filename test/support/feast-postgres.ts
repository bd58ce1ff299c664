import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listItem, type ScalarType, type ValueType } from '../../definitions/types.js';
import type { OnlineView } from '../../providers/online/provider.js';
import { python } from './python.js';

/** A value as it crosses to Python and back, without loss. */
export type Crossing = string | null | readonly string[];

/** A value of one of Granary's types for feast-postgres.py. */
export function crossing(type: ValueType, value: unknown): Crossing {
  if (value === null || value === undefined) return null;
  const item = listItem(type);
  if (item !== undefined) return (value as unknown[]).map((each) => crossing(item, each) as string);
  const bytes = Buffer.alloc(8);
  switch (type as ScalarType) {
    case 'timestamp': {
      const micros = value as bigint;
      return String(micros / 1_000_000n - (micros % 1_000_000n < 0n ? 1n : 0n));
    }
    case 'float32':
      bytes.writeFloatBE(value as number);
      return bytes.subarray(0, 4).toString('hex');
    case 'float64':
      bytes.writeDoubleBE(value as number);
      return bytes.toString('hex');
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('hex');
    case 'bool':
    case 'int32':
    case 'int64':
    case 'string':
      return String(value as bigint | number | boolean | string);
  }
}

/** A row for Feast's writer, or as it is expected of Feast's reader. */
export interface FeastRow {
  readonly key: readonly Crossing[];
  readonly values: readonly Crossing[];
  readonly eventTime: string;
  readonly createdTime: string | null;
}

/** A feature of an entity as the SDK answers: status 1 is PRESENT, 3 NOT_FOUND. */
export interface FeastAnswer {
  readonly value: Crossing;
  readonly status: number;
  readonly micros: string;
}

/** The Feast SDK in a process of its own, over a Postgres online store, with a registry that it makes itself. */
export interface FeastSession extends AsyncDisposable {
  /** The same process with entity keys of another serialization, and a registry of its own. */
  with(version: 2 | 3): Promise<FeastSession>;
  apply(views: readonly OnlineView[]): Promise<void>;
  /** As `materialize` writes. @throws Error with Feast's own words. */
  write(view: OnlineView, rows: readonly FeastRow[]): Promise<void>;
  /** `get_online_features`: a column a feature. */
  read(
    view: OnlineView,
    keys: readonly (readonly Crossing[])[],
    features?: readonly string[],
  ): Promise<FeastAnswer[][]>;
  /** What Feast writes into `value_text`. */
  text(type: ValueType, values: readonly unknown[]): Promise<(string | null)[]>;
}

export async function openFeast(options: {
  readonly url: string;
  readonly schema: string;
  readonly project: string;
  readonly version: 2 | 3;
  /** Where its registry goes. */
  readonly folder: string;
}): Promise<FeastSession> {
  const child = spawn(python ?? 'python3', [join(import.meta.dirname, 'feast-postgres.py')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      FEAST_USAGE: 'False',
      PYTHONWARNINGS: 'ignore',
      FEAST_FOLDER: options.folder,
    },
  });
  let complaints = '';
  child.stderr.on('data', (data: Buffer) => (complaints = (complaints + data.toString()).slice(-2000)));
  const waiting: ((line: string) => void)[] = [];
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  createInterface(child.stdout).on('line', (line) => waiting.shift()?.(line));
  const ask = async (command: object): Promise<unknown> => {
    const answer = new Promise<string>((resolve) => waiting.push(resolve));
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const line = await Promise.race([answer, ended]);
    if (line === undefined) throw new Error(`Feast ended: ${complaints}`);
    const { ok, error } = JSON.parse(line) as { ok?: unknown; error?: string };
    if (error !== undefined) throw new Error(`${error}\n${complaints}`);
    return ok;
  };
  const { hostname, port, pathname, username, password } = new URL(options.url);
  const server = {
    host: hostname,
    port: Number(port || 5432),
    database: pathname.slice(1),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password) || 'none',
    db_schema: options.schema,
  };
  const session = async (version: 2 | 3): Promise<FeastSession> => {
    const tell = (command: object): Promise<unknown> => ask({ ...command, version });
    await tell({ do: 'open', project: options.project, server });
    return {
      with: session,
      apply: async (views) => void (await tell({ do: 'apply', views })),
      write: async (view, rows) => void (await tell({ do: 'write', view: view.name, rows })),
      read: async (view, keys, features = view.features.map(({ name }) => name)) =>
        (await tell({ do: 'read', view: view.name, keys, features })) as FeastAnswer[][],
      text: async (type, values) =>
        (await tell({ do: 'text', type, values: values.map((value) => crossing(type, value)) })) as (
          string | null
        )[],
      async [Symbol.asyncDispose]() {
        child.stdin.end();
        await ended;
      },
    };
  };
  return session(options.version);
}
