import { describe, expect, it } from 'vitest';
import { noteStatement, StatementLog } from '../../providers/offline/statement-log.js';

describe('what a step sends to engines', () => {
  it('is kept as the first and the last fifty statements, and how many lie between', async () => {
    const log = new StatementLog();
    await log.run(async () => {
      for (let n = 1; n <= 1000; n++) {
        noteStatement('The query', `SELECT ${n}`)();
        await Promise.resolve();
      }
    });
    expect(log.omitted).toBe(900);
    expect(log.statements.map(({ sql }) => Number(sql.slice(7)))).toEqual([
      ...Array.from({ length: 50 }, (_, i) => i + 1),
      ...Array.from({ length: 50 }, (_, i) => i + 951),
    ]);
  });

  it('is kept without passwords, the error with it; looks at columns only where they fail', async () => {
    const log = new StatementLog();
    await log.run(() => {
      noteStatement('A look', 'DESCRIBE SELECT 1')();
      noteStatement('A look', 'DESCRIBE SELECT 2')(new Error('no such column'));
      noteStatement(
        'The query',
        "ATTACH 'postgres://ada:hunter2@db/x'",
      )(new Error('cannot reach postgres://ada:hunter2@db/x?token=hunter2'));
      return Promise.resolve();
    });
    expect(log.statements).toMatchObject([
      { sql: 'DESCRIBE SELECT 2', error: 'no such column' },
      {
        sql: "ATTACH 'postgres://ada:***@db/x'",
        error: 'cannot reach postgres://ada:***@db/x?token=***',
      },
    ]);
  });
});
