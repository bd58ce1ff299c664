import { readdir, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import type { Command } from 'commander';
import { compile, type CompiledProject } from '../definitions/compile.js';
import { compiledContract, isContract } from '../definitions/contract-file.js';
import { GranaryError } from '../definitions/errors.js';
import { readSecret } from '../providers/secrets.js';
import { readCaseFile, type CaseFile } from '../testing/case-file.js';
import { runCase, testedResource, type CaseOutcome } from '../testing/run-cases.js';
import { updateExpected } from '../testing/update-cases.js';
import { loadProject } from './load-project.js';
import { json } from './table.js';
import { outcomeText, summaryText, type Tally } from './test-report.js';

interface TestFlags {
  readonly project: string;
  readonly json?: true;
  readonly update?: true;
}

export function addTest(program: Command): void {
  program
    .command('test')
    .description(
      'Runs feature sets and transformations on rows of yours, and compares what they make with what you expect. Needs no server.',
    )
    .argument('[files...]', 'files of tests, or folders of them (*.test.json)', ['tests'])
    .option('-p, --project <file>', 'the file that exports the project', 'granary.ts')
    .option('-u, --update', 'writes the rows that are made as those that are expected')
    .option('--json', 'one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nExamples:\n  granary test\n  granary test tests/user_spending.test.json --update\n\nA file of tests:\n  { "definition": "user_spending",\n    "cases": [{ "name": "sums amounts", "from": "2026-01-01", "to": "2026-01-02",\n                "inputs": { "orders": "orders.csv" },\n                "expected": [{ "user_id": 1, "total": 12.5 }] }] }',
    )
    .action(async (paths: readonly string[], flags: TestFlags) => {
      const loaded = await loadProject(flags.project);
      const project = isContract(loaded) ? compiledContract(loaded) : compile(loaded, readSecret);
      const files = await Promise.all((await caseFiles(paths)).map(readCaseFile));
      const began = performance.now();
      const outcomes: CaseOutcome[] = [];
      const updated: CaseOutcome[] = [];
      for (const file of files)
        for await (const outcome of casesOf(project, file)) {
          const isNew = flags.update === true && mayUpdate(outcome);
          if (isNew) {
            await updateExpected(file, outcome);
            updated.push(outcome);
          }
          outcomes.push(outcome);
          if (!flags.json) process.stdout.write(outcomeText(outcome, isNew));
        }
      const failed = outcomes.filter((o) => o.failure !== undefined && !updated.includes(o));
      const tally: Tally = {
        passed: outcomes.length - failed.length - updated.length,
        failed: failed.length,
        updated: updated.length,
        seconds: (performance.now() - began) / 1000,
      };
      process.stdout.write(flags.json ? jsonOf(tally, outcomes, updated) : summaryText(tally));
      process.exitCode = failed.length === 0 ? 0 : 1;
    });
}

async function* casesOf(project: CompiledProject, file: CaseFile): AsyncGenerator<CaseOutcome> {
  const resource = testedResource(project, file);
  for (const test of file.cases) yield await runCase(project, resource, file, test);
}

const mayUpdate = ({ failure }: CaseOutcome): boolean =>
  failure?.kind === 'rows' || failure?.kind === 'unwritten';

/** The files that the arguments stand for, in order of their names. */
async function caseFiles(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const about = await stat(path).catch(() => undefined);
    if (!about)
      throw new GranaryError(
        'InvalidInput',
        `There is no file or folder of tests ${path}. Write one, such as tests/user_spending.test.json; "granary test --help" shows its form.`,
      );
    if (!about.isDirectory()) found.push(path);
    else {
      const inside = (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.test.json'));
      if (inside.length === 0)
        throw new GranaryError(
          'InvalidInput',
          `The folder ${path} has no tests. Their names end in .test.json; "granary test --help" shows their form.`,
        );
      found.push(...inside.sort().map((name) => join(path, name)));
    }
  }
  return [...new Set(found.map(normalize))];
}

function jsonOf(tally: Tally, outcomes: readonly CaseOutcome[], updated: readonly CaseOutcome[]): string {
  return json({
    ...tally,
    cases: outcomes.map((outcome) => ({
      file: outcome.file,
      name: outcome.name,
      state: updated.includes(outcome) ? 'updated' : outcome.failure ? 'failed' : 'passed',
      milliseconds: Math.round(outcome.milliseconds),
      ...(outcome.failure === undefined ? {} : { failure: outcome.failure }),
    })),
  });
}
