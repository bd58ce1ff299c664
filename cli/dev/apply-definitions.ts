import { setTimeout as sleep } from 'node:timers/promises';
import type { GranaryClient } from '../../client/index.js';
import type { OpenProject } from '../../providers/bind.js';
import { openRegistry } from '../../registry/registry.js';
import { applyTable, planText } from '../apply-table.js';
import { isOver, succeeded } from '../apply.js';

/**
 * Registers the project's definitions and has what is new made, as `granary apply` does, and says so in as few lines as tell it all.
 * @throws GranaryError as `granary apply`.
 */
export async function applyDefinitions(
  open: OpenProject,
  client: GranaryClient,
  say: (text: string) => void,
): Promise<void> {
  const began = performance.now();
  const plan = await client.planApply();
  const { scope, project } = open;
  const nothing = plan.created.length + plan.updated.length + plan.refused.length + plan.runs.length === 0;
  if (nothing) {
    say(`nothing is new: all ${plan.unchanged.length} definitions are registered and made`);
    return;
  }
  say(planText(plan, project.resources, `${scope.project} in ${scope.environment}`).trimEnd());
  if (plan.refused.length > 0) return;
  const handle = await client.apply();
  let state = await handle.status();
  for (; !isOver(state); state = await handle.status()) await sleep(250);
  if (!succeeded(state)) {
    say(
      `${state.status}${state.error === undefined ? '' : `: ${state.error}`}\n${applyTable(state).trimEnd()}`,
    );
    return;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(`all ${state.resources.length} definitions are READY, ${seconds} s`);
  for (const hint of await promotions(open, plan.created)) say(hint);
}

/** What to do about changed views: readers see the variant before until the new one is promoted. */
async function promotions(open: OpenProject, created: readonly string[]): Promise<string[]> {
  const registry = openRegistry(open.registry);
  try {
    const known = await registry.resources.all();
    return created
      .flatMap((id) => known.get(id) ?? [])
      .filter(({ kind, isDefault }) => kind === 'view' && !isDefault)
      .map(
        ({ name, variant }) =>
          `readers still see the ${name} before; to serve the new one: npx granary promote view/${name} ${variant}`,
      );
  } finally {
    await registry.close();
  }
}
