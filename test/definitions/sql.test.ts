import { describe, expect, it } from 'vitest';
import { fillSql, normalizeSql, parseSql, renderSql } from '../../definitions/sql.js';

describe('normalizeSql: layout, comments and case do not count', () => {
  const same: [string, string][] = [
    ['SELECT a FROM t', 'select  A\n from\tT'],
    ['SELECT a -- why\nFROM t', 'SELECT a FROM t'],
    ['SELECT a /* b */ FROM t;', 'SELECT a FROM t'],
    ['SELECT a,b FROM t', 'SELECT a , b FROM t'],
    ['SELECT a<=1 FROM t', 'SELECT a <= 1 FROM t'],
    ['SELECT {{flights.v1}}', 'select {{flights.v1}}'],
  ];
  it.each(same)('%j means %j', (a, b) => expect(normalizeSql(a)).toBe(normalizeSql(b)));

  const different: [string, string][] = [
    ["SELECT 'A'", "SELECT 'a'"],
    ["SELECT 'a  b'", "SELECT 'a b'"],
    ['SELECT "A"', 'SELECT "a"'],
    ["SELECT 'it''s'", "SELECT 'it'' s'"],
    ['SELECT a <= b', 'SELECT a < = b'],
    ['SELECT 1.5', 'SELECT 1 .5'],
    ["SELECT '--x'", "SELECT ''"],
    ['SELECT {{Flights.v1}}', 'SELECT {{flights.v1}}'],
    ['SELECT $$A$$', 'SELECT $$a$$'],
  ];
  it.each(different)('%j is not %j', (a, b) => expect(normalizeSql(a)).not.toBe(normalizeSql(b)));
});

describe('templates', () => {
  it('reads references in plain texts', () => {
    const template = parseSql('SELECT * FROM {{ flights }} JOIN {{user.v2}} ON {{interval.end}}');
    expect(renderSql(template, (r) => (r.kind === 'intervalBound' ? r.bound : `<${r.name}>`))).toBe(
      'SELECT * FROM <flights> JOIN <user.v2> ON end',
    );
  });
  it('fills the interval as literals in UTC', () => {
    expect(
      fillSql(
        '{{interval.start}} {{interval.end}} {{f.v}}',
        { start: '2001-03-04T00:00:00Z', end: '2001-03-05T00:00:00.000001Z' },
        (id) => `"${id}"`,
      ),
    ).toBe(`TIMESTAMPTZ '2001-03-04 00:00:00+00' TIMESTAMPTZ '2001-03-05 00:00:00.000001+00' "f.v"`);
  });
});
