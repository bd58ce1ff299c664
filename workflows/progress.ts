import type { ResolvedRun, StepResult } from '../activities/messages.js';

/** Keeps a run's current details: its resolved input and a table of steps, for Temporal's UI. */
export function progress(
  { plan, pipeline, rebuild, rollback, promotion, refresh, notes = [], deadline }: ResolvedRun,
  publish: (markdown: string) => void,
) {
  const lines = new Map(
    plan.steps.map((step) => [step.id, { state: 'waiting', rows: '', seconds: '', where: '' }]),
  );
  const byHand = rollback ? 'rollback' : promotion ? 'promotion' : refresh ? 'full refresh' : undefined;
  const what = byHand ? `${byHand} of ${plan.steps[0]?.name ?? ''}` : (pipeline ?? 'targets');
  const { warn, cancel } = deadline ?? {};
  const due = [
    ...(warn ? [`late after ${warn.at}`] : []),
    ...(cancel ? [`cancelled at ${cancel.at}, ${cancel.after} after the interval's end`] : []),
  ].join(', ');
  const render = (): void => {
    const head = [
      `**${what}** for \`[${plan.interval.start}, ${plan.interval.end})\`${rebuild && !byHand ? ', rebuilding' : ''}`,
      '',
      ...(due === '' ? [] : [due, '']),
      '| step | state | rows | seconds | where |',
      '| --- | --- | ---: | ---: | --- |',
    ];
    const rows = [...lines].map(
      ([id, { state, rows: n, seconds, where }]) =>
        `| ${id} | ${state.replaceAll('|', '\\|').replaceAll('\n', ' ')} | ${n} | ${seconds} | ${where} |`,
    );
    publish([...head, ...rows, ...notes.flatMap((text) => ['', text])].join('\n'));
  };
  const set = (
    id: string,
    line: Partial<{ state: string; rows: string; seconds: string; where: string }>,
  ): void => {
    const known = lines.get(id);
    if (known) lines.set(id, { ...known, ...line });
    render();
  };
  render();
  return {
    doing: (id: string, doing: string): void => set(id, { state: doing }),
    failed: (id: string, message: string): void => set(id, { state: `**failed**: ${message}` }),
    done: (id: string, result: StepResult): void => {
      const ms = Object.values(result.ms).reduce((a, b) => a + b, 0);
      set(id, {
        state: result.outcome === 'current' ? 'already valid' : 'done',
        rows: String(result.rows),
        seconds: result.outcome === 'current' ? '' : (ms / 1000).toFixed(2),
        where: result.version ?? result.location ?? '',
      });
    },
  };
}
