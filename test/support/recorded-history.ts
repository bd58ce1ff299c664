/**
 * A recorded history, as parsed JSON, without what names the machine that recorded it: stack traces, identities, sticky task queues, and the
 * temporary folder of the test, also inside payloads. Nothing of that is replayed. Scrubbed twice, it is the same.
 */
export const scrubbed = (history: unknown): unknown => scrub('', history);

function scrub(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => scrub(key, one));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, scrub(name, one)]));
  if (typeof value !== 'string') return value;
  if (key === 'stackTrace') return '';
  if (key === 'identity') return 'worker';
  return key === 'data' ? inBase64(value, withoutMachine) : withoutMachine(value);
}

/** `/tmp/granary-test-4aZQBN/lake` is `/granary-test/lake`, and `4711@host-0f97e3...`, a sticky queue, `sticky`. */
const withoutMachine = (text: string): string =>
  text
    .replaceAll(/(?:\/[\w.-]+)*\/granary-test-\w{6}\b/g, '/granary-test')
    .replaceAll(/^\d+@.+-[0-9a-f]{32}$/g, 'sticky');

/** Payloads that are no text stay as they are. */
function inBase64(data: string, change: (text: string) => string): string {
  const bytes = Buffer.from(data, 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? Buffer.from(change(text)).toString('base64') : data;
}
