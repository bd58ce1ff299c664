import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApplyHandle, ApplyState, GranaryClient } from '../client/index.js';
import { refuseChanged } from '../registry/resources.js';
import { applyTable, liveTable, creatingLines, planText } from './apply-table.js';
import { useClient, type ClientFlags } from './connect.js';
import { whileWaiting } from './interrupt.js';
import { sameProject, withEnvironment, withTaskQueue } from './options.js';
import { json } from './table.js';

interface ApplyFlags extends Omit<ClientFlags, 'project'> {
  readonly dryRun?: true;
  readonly json?: true;
  readonly detach?: true;
}

export function addApply(program: Command): void {
  const command = withEnvironment(program.command('apply'))
    .description(
      'Registers the definitions of a file, checks providers and sources, and has what is new or failed made. Shows the plan first. A worker must be running.',
    )
    .argument('[file]', 'the file that exports the project, or a contract of granary compile', 'granary.ts')
    .option('--dry-run', 'shows the plan and writes nothing')
    .option('--json', 'one JSON object instead of the table')
    .option('--detach', 'starts the apply and does not wait for it');
  withTaskQueue(command)
    .addHelpText(
      'after',
      '\nExamples:\n  granary apply granary.ts --dry-run\n  granary apply granary.ts --env prod --detach',
    )
    .action(async (file: string, flags: ApplyFlags) => {
      await useClient({ ...flags, project: file }, async (client, { project, scope }) => {
        const plan = await client.planApply();
        if (!flags.json)
          process.stdout.write(planText(plan, project.resources, `${scope.project} in ${scope.environment}`));
        refuseChanged(plan.refused);
        if (flags.dryRun) {
          if (flags.json) process.stdout.write(json({ plan }));
          return;
        }
        const handle = await client.apply();
        await (flags.detach
          ? detach(handle, file, flags)
          : follow(client, handle, { ...flags, project: file }));
      });
    });
}

async function detach(handle: ApplyHandle, file: string, flags: ApplyFlags): Promise<void> {
  const { run, workflowId, plan } = handle;
  const watch = `granary status ${run}${sameProject({ ...flags, project: file })}`;
  process.stdout.write(
    flags.json
      ? json({ run, workflowId, plan })
      : `Applying Run: ${run}\nIt goes on without this command. Watch it with: ${watch}\n`,
  );
  return Promise.resolve();
}

/** Shows an apply until it ends; the process' exit status says whether all is READY. */
async function follow(
  client: GranaryClient,
  handle: ApplyHandle,
  flags: ApplyFlags & { readonly project: string },
): Promise<void> {
  const live = process.stdout.isTTY && !flags.json;
  using _ = whileWaiting(
    `the apply ${handle.run} goes on. Watch it: granary status ${handle.run}${sameProject(flags)}`,
  );
  if (!flags.json) process.stdout.write(`Applying Run: ${handle.run}\n`);
  let created = false;
  let shown = 0;
  let state = await handle.status();
  for (let pause = 100, asked = Date.now(); ; pause = Math.min(pause * 1.3, 2000)) {
    state = await handle.status();
    if (!flags.json && !created && state.plan) {
      created = true;
      if (JSON.stringify(state.plan.created) !== JSON.stringify(handle.plan.created))
        process.stdout.write('Another apply came first; what is new is against its result.\n');
      for (const warning of state.plan.warnings) process.stderr.write(`granary: ${warning}\n`);
      process.stdout.write(creatingLines(state.plan, state.resources));
    }
    const over = isOver(state);
    const { rows = 24, columns = 80 } = process.stdout;
    if (live && created)
      shown = redraw(shown, over ? applyTable(state) : liveTable(state, { rows, columns }));
    if (over) break;
    if (Date.now() - asked > 5000) {
      await client.requireWorker();
      asked = Date.now();
    }
    await sleep(pause);
  }
  if (flags.json) process.stdout.write(json(state));
  else if (!live || !created) process.stdout.write(applyTable(state));
  process.exitCode = succeeded(state) ? 0 : 1;
}

/** Whether an apply has ended. */
export const isOver = ({ status }: ApplyState): boolean => status !== 'PENDING' && status !== 'RUNNING';

/** Whether all of an apply's resources are READY. */
export const succeeded = ({ status, resources }: ApplyState): boolean =>
  status === 'COMPLETED' && resources.every((item) => item.status === 'READY');

/** Writes the table over the one before; resolves to its lines. */
function redraw(before: number, text: string): number {
  process.stdout.write(`${before === 0 ? '' : `\u001b[${before}A\u001b[J`}${text}`);
  return text.split('\n').length - 1;
}
