import { describe, expect, it } from 'vitest';
import { toldText } from '../../definitions/told-text.js';

describe('a text of an engine or of a user, as it is kept', () => {
  it.each([
    ['postgres://ada:hunter2@db:5432/x', 'postgres://ada:***@db:5432/x'],
    ['redis://:hunter2@cache', 'redis://:***@cache'],
    ['postgres://ada:hun@ter2@db/x', 'postgres://ada:***@db/x'],
    ["ATTACH 'host=db password=hunter2 user=ada'", "ATTACH 'host=db password=*** user=ada'"],
    [
      "CREATE SECRET s (TYPE s3, KEY_ID 'AKIA1', SECRET 'hunter2')",
      "CREATE SECRET s (TYPE s3, KEY_ID 'AKIA1', SECRET '***')",
    ],
    ["SET s3_secret_access_key = 'hun''ter2'", "SET s3_secret_access_key = '***'"],
    [
      "read_csv('https://x.org/a.csv?token=hunter2&page=2')",
      "read_csv('https://x.org/a.csv?token=***&page=2')",
    ],
    ['GET https://b.s3/x?X-Amz-Signature=hunter2 failed', 'GET https://b.s3/x?X-Amz-Signature=*** failed'],
    ['{"password": "hun\\"ter2", "user": "ada"}', '{"password": "***", "user": "ada"}'],
    ['Authorization: Bearer hunter2.abc-def=', 'Authorization: Bearer ***'],
  ])('has no password in it: %s', (text, expected) => {
    expect(toldText(text)).toBe(expected);
  });

  it.each([
    'SELECT a.token, b.token_count FROM a JOIN b ON a.token = b.token',
    "SELECT 'https://x.org/a?page=2' AS url, user_id AS key FROM t WHERE name = 'ada'",
    "SELECT * FROM read_parquet('s3://bucket/raw/sales.parquet')",
    "COPY (SELECT 1) TO 'C://x:y' (FORMAT csv, DELIMITER ':')",
  ])('is left as it is: %s', (text) => {
    expect(toldText(text)).toBe(text);
  });

  it('is cut where it is long, not within a character, nor within a password that would then show', () => {
    const long = `${'x'.repeat(19_999)}😀${'y'.repeat(5_000_000)}`;
    expect(toldText(long)).toBe(`${'x'.repeat(19_999)}\n... and 5000001 more characters`);
    const password = `${'x'.repeat(19_980)} postgres://ada:${'hunter2'.repeat(10)}@db/x`;
    expect(toldText(password)).not.toContain('hunter2');
    expect(toldText('a\0b')).toBe('a\u{fffd}b');
  });

  it('takes no long time over a long text', () => {
    const began = performance.now();
    for (const part of ['a-', 'password', '//a:', "secret '", '?a.', 'token '])
      toldText(part.repeat(100_000));
    expect(performance.now() - began).toBeLessThan(2000);
  });
});
