/** Characters that are kept of one text. */
const LONGEST = 20_000;

/** A name that is of something secret: `PASSWORD`, `s3_secret_access_key`, `access_token`, `api-key`. */
const SECRET = String.raw`[\w-]{0,40}(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|credential)[\w-]{0,40}`;

/** What may hold a password, with what stands in its place. */
const MASKS: readonly (readonly [pattern: RegExp, by: string])[] = [
  // postgres://user:password@host
  [/(\/\/[^/\s:@'"]*:)[^\s/'"]+@/g, '$1***@'],
  // https://host/path?token=..., a signed address of S3
  [/([?&][\w.-]*(?:password|secret|token|key|sig|signature|credential|auth)=)[^\s&'"]+/gi, '$1***'],
  // host=... password=...
  [/((?<![\w-])[\w-]{0,40}(?:password|passwd|pwd)=)(?!['"])[^\s&'"]+/gi, '$1***'],
  // SECRET '...', token = '...', "password": "..."
  [new RegExp(String.raw`((?<![\w-])${SECRET}["']?\s*[:=]?\s*)'(?:[^']|'')*'`, 'gi'), "$1'***'"],
  [new RegExp(String.raw`((?<![\w-])${SECRET}["']?\s*[:=]\s*)"(?:[^"\\]|\\.)*"`, 'gi'), '$1"***"'],
  [/\b(Bearer\s+)[\w.~+/-]+=*/gi, '$1***'],
];

/**
 * A text of an engine or of a user's code as it may be kept and shown: passwords and tokens in addresses and SQL are masked, of a long text the
 * beginning is kept, and U+0000, which Postgres' texts do not hold, is replaced.
 */
export function toldText(text: string): string {
  // What is masked may be cut off, but never cut in two: twice as much is looked at as is kept.
  const seen = MASKS.reduce(
    (safe, [pattern, by]) => safe.replaceAll(pattern, by),
    text.slice(0, LONGEST * 2),
  );
  const plain = seen.replaceAll('\0', '\u{fffd}');
  if (text.length <= LONGEST) return plain;
  // Half of a character that takes two units is none.
  const kept = plain.slice(0, LONGEST).replace(/[\ud800-\udbff]$/, '');
  return `${kept}\n... and ${text.length - LONGEST} more characters`;
}
