/** A small generator of random numbers, so that a seed repeats its bodies. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

const ODD: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e308, '', '1001', 'x', '\u0000', '\ud800', '💥', [], {}, [[]], [null]],
  ...['users:visits', 'users:', ':visits', ':', 'users', 'users:visits:x', 'users@v2:visits', '__proto__:x'],
  ...['9'.repeat(30), '-0', ' 12 ', '1e3', { toString: 1 }, ['__proto__'], 'constructor', 2 ** 53],
];
/** Stands for digits that no number in JavaScript holds. */
const LONG = '#long#';
const LONG_DIGITS = '12345678901234567890';
const DEEP = (): unknown => {
  let value: unknown = [];
  for (let i = 0; i < 2000; i++) value = [value];
  return value;
};
/** Values of a column that is a join key of another view's entity. */
const OTHERS: readonly unknown[] = [LONG, [LONG], { x: LONG }, [[LONG, 'x']], DEEP(), 'ATL'];
const FIELDS = ['entities', 'features', 'feature_service', 'full_feature_names', 'user_id', '__proto__'];

/** Bodies for `POST /get-online-features`: right ones, then with wrong values, and with bytes changed, cut off or repeated. */
export function* fuzzedBodies(count: number, seed: number): Generator<Buffer> {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const odd = (): unknown => ODD[below(ODD.length)];
  const value = (): unknown => (next() < 0.7 ? below(2000) : odd());
  for (let i = 0; i < count; i++) {
    const rows = below(4);
    const other = (): unknown => (next() < 0.7 ? OTHERS[below(OTHERS.length)] : odd());
    const columns = {
      user_id: Array.from({ length: rows }, value),
      ...(next() < 0.3 ? { airport: Array.from({ length: rows }, other) } : {}),
    };
    const body: Record<string, unknown> = {
      features: next() < 0.2 ? odd() : ['users:visits', ...(next() < 0.3 ? [odd()] : [])],
      entities: next() < 0.2 ? odd() : columns,
    };
    if (next() < 0.3) body[FIELDS[below(FIELDS.length)] ?? ''] = odd();
    let bytes = Buffer.from(JSON.stringify(body).replaceAll(`"${LONG}"`, LONG_DIGITS));
    if (next() < 0.1) bytes = Buffer.from(`${'['.repeat(below(50_000))}${bytes.toString()}`);
    if (next() < 0.1) bytes = Buffer.from(bytes.toString().replace(/\d+/, () => '9'.repeat(1 + below(400))));
    for (let edits = next() < 0.5 ? below(6) : 0; edits > 0 && bytes.length > 0; edits--) {
      const at = below(bytes.length);
      const kind = below(3);
      if (kind === 0) bytes[at] = below(256);
      else if (kind === 1) bytes = bytes.subarray(0, at);
      else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 9))]);
    }
    yield bytes;
  }
}

/** Sends them, some at a time; resolves to how often each status came. */
export async function fuzz(url: string, count: number, seed: number): Promise<ReadonlyMap<number, number>> {
  const statuses = new Map<number, number>();
  const bodies = fuzzedBodies(count, seed);
  const sender = async (): Promise<void> => {
    for (const body of bodies) {
      const answer = await fetch(`${url}/get-online-features`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      const text = await answer.text();
      if (answer.status >= 500)
        throw new Error(
          `seed ${seed}: ${answer.status} ${text} for ${body.toString('latin1').slice(0, 500)}`,
        );
      JSON.parse(text);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
  return statuses;
}
