import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { GranaryError } from '../definitions/errors.js';
import { chooseEnvironment, type Environment, type Project } from '../definitions/project.js';
import { headOf, type Contract } from '../definitions/contract-file.js';
import { openProject, type OpenProject } from '../providers/bind.js';
import type { ClientFlags } from './connect.js';
import { bounded, failed, ok, skipped, type Finding } from './doctor-findings.js';
import { checkNode, checkScratch, checkSecrets } from './doctor-machine.js';
import { checkBound, checkRegistry } from './doctor-registry.js';
import { checkTemporal } from './doctor-temporal.js';
import { EXIT } from './failure.js';
import { loadProject } from './load-project.js';
import { withJson, withProject, withTaskQueue } from './options.js';
import { json, table } from './table.js';

/** How long connections may take to close. */
const CLOSING_MS = 5000;

interface DoctorFlags extends ClientFlags {
  readonly fix?: true;
  readonly json?: true;
}

export function addDoctor(program: Command): void {
  withJson(withTaskQueue(withProject(program.command('doctor'))), 'a JSON list instead of the table')
    .description(
      'Checks, from this machine, what a project needs: Node, definitions, secrets, Temporal, workers, the registry, every provider. Exit status 1 when a check fails; warnings are none.',
    )
    .option('--fix', "registers missing search attributes and migrates the registry's tables; nothing else")
    .addHelpText('after', '\nExamples:\n  granary doctor\n  granary doctor --env prod --fix')
    .action(async (flags: DoctorFlags) => {
      const findings = await examine(flags);
      process.stdout.write(flags.json ? json(findings) : text(findings));
      // What a server left unanswered must not hold the process.
      process.exit(findings.some(({ state }) => state === 'failed') ? EXIT.failed : EXIT.done);
    });
}

/** All checks, in the order in which one needs another. */
async function examine(flags: DoctorFlags): Promise<Finding[]> {
  const own = [checkNode(), await checkScratch()];
  const fix = flags.fix === true;
  const loaded = await load(flags);
  if (!('open' in loaded))
    return [...own, ...loaded.findings, skipped('the rest', 'the project cannot be opened')];
  const { open, findings } = loaded;
  try {
    const [temporal, registry, providers] = await Promise.all([
      bounded('temporal', checkTemporal(open, flags.taskQueue, { fix })),
      bounded('registry', checkRegistry(open, { fix })),
      bounded('providers', checkBound(open)),
    ]);
    return [...own, ...findings, ...temporal, ...registry, ...providers];
  } finally {
    await Promise.race([open.providers.close(), sleep(CLOSING_MS)]);
  }
}

type Loaded =
  | { readonly findings: readonly Finding[] }
  | { readonly findings: readonly Finding[]; readonly open: OpenProject };

/** Loads and compiles the project, and looks at the secrets of its environment. */
async function load(flags: DoctorFlags): Promise<Loaded> {
  const findings: Finding[] = [];
  try {
    const project: Project | Contract = await loadProject(flags.project);
    const head = headOf(project);
    const name = chooseEnvironment(head, flags.env ?? process.env['GRANARY_ENV']);
    findings.push(checkSecrets(name, head.environments[name] as Environment));
    const open = openProject(project, name);
    const { size } = open.project.resources;
    return {
      open,
      findings: [
        ok('project', `${head.name}, environment ${name}: ${size} resources in ${flags.project}`),
        ...findings,
      ],
    };
  } catch (error) {
    if (!(error instanceof GranaryError)) throw error;
    // What the missing secrets already say need not be told again.
    const isTold = error.code === 'ConfigurationMissing' && findings.some(({ state }) => state === 'failed');
    return { findings: [...(isTold ? [] : [failed('project', error.message)]), ...findings] };
  }
}

/** A line a check; below one that is not right, what to do. */
function text(findings: readonly Finding[]): string {
  const lines = table(
    ['CHECK', 'STATE', 'FOUND'],
    findings.map(({ check, state, message, remedy }) => [
      check,
      state,
      remedy === undefined ? message : `${message}. ${remedy}`,
    ]),
  );
  const count = (state: Finding['state']): number => findings.filter((f) => f.state === state).length;
  const summary = (['failed', 'warning', 'fixed', 'skipped', 'ok'] as const)
    .filter((state) => count(state) > 0)
    .map((state) => `${count(state)} ${state}`)
    .join(', ');
  return `${lines}\n${summary}\n`;
}
