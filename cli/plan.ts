import type { Command } from 'commander';
import type { PipelinePlan } from '../client/index.js';
import type { Interval } from '../definitions/interval.js';
import { planText } from './apply-table.js';
import { useClient, type ClientFlags } from './connect.js';
import { sameProject, withProject } from './options.js';
import { json, table } from './table.js';

interface PlanFlags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
  readonly json?: true;
}

export function addPlan(program: Command): void {
  withProject(program.command('plan'))
    .description(
      'Shows what an apply of the project would change, and which intervals of its pipelines are missing, failed, running or stale. Writes nothing.',
    )
    .argument('[pipelines...]', 'their names (default: all)')
    .option('--from <time>', "intervals from then on, ISO-8601 (default: the pipeline's startDate)")
    .option('--to <time>', 'intervals before then (default: now)')
    .option('--json', 'one JSON object instead of text')
    .addHelpText(
      'after',
      '\nExamples:\n  granary plan\n  granary plan user_features_daily --from 2026-01-01 --env prod',
    )
    .action(async (pipelines: string[], flags: PlanFlags) => {
      await useClient(flags, async (client, { project, scope }) => {
        const { from, to } = flags;
        const plan = await client.plan({
          ...(pipelines.length === 0 ? {} : { pipelines }),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
        });
        const where = `${scope.project} in ${scope.environment}`;
        process.stdout.write(
          flags.json
            ? json(plan)
            : `${planText(plan.definitions, project.resources, where)}${plan.pipelines.map((one) => pipelineText(one, sameProject(flags))).join('')}`,
        );
      });
    });
}

/** How many ranges a pipeline shows; a pipeline with more is full of holes, and its newest ones matter. */
const SHOWN = 20;

/** How a pipeline's intervals stand, for people; the newest range last. `same` are the flags by which another command finds the project. */
export function pipelineText({ pipeline, span, counts, ranges }: PipelinePlan, same: string): string {
  if (!span) return `\nPipeline ${pipeline}: no interval is complete yet\n`;
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const told = Object.entries(counts).map(([state, n]) => `${n} ${state}`);
  const hidden = Math.max(0, ranges.length - SHOWN);
  const rows = ranges
    .slice(hidden)
    .map(({ state, span: range, intervals, reasons }) => [
      state,
      spanText(range),
      String(intervals),
      [...reasons.slice(0, 2), ...(reasons.length > 2 ? [`and ${reasons.length - 2} more`] : [])].join('; '),
    ]);
  const made = (['missing', 'failed', 'stale'] as const).filter((state) => counts[state] !== undefined);
  return [
    `\nPipeline ${pipeline}, ${spanText(span)}: ${count(total)}: ${told.join(', ')}\n`,
    hidden > 0 ? `  ${hidden} older ranges are not shown: --json has all\n` : '',
    table(['STATE', 'FROM .. TO', 'INTERVALS', 'WHY'], rows),
    ...made.map(
      (state) =>
        `Make what is ${state}: granary backfill ${pipeline} --from ${span.start} --to ${span.end}${state === 'missing' ? '' : ` --reprocess ${state}`}${same}\n`,
    ),
  ].join('');
}

const count = (n: number): string => `${n} ${n === 1 ? 'interval' : 'intervals'}`;

/** An instant as short as it can be. */
const day = (at: string): string => at.replace(/T00:00:00Z$/, '');

const spanText = ({ start, end }: Interval): string => `${day(start)} .. ${day(end)}`;
