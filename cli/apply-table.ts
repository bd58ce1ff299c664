import type { ApplyItem, ApplyPlan, ApplyState } from '../client/index.js';
import type { Resource } from '../definitions/contract.js';
import { resourceName } from '../definitions/upstream.js';

/** Columns of the table; longer names make them wider. */
const HEAD = ['Resource Type', 'Name (Variant)', 'Status', 'Error'] as const;
const WIDTHS = [22, 34, 10] as const;

/** The table of an apply: `RUNNING`, `COMPLETED` or how else it ended, then one line a resource. */
export function applyTable({ status, resources, error }: ApplyState): string {
  const rows = resources.map((item) => [
    item.type,
    `${item.name} (${item.variant})`,
    item.status,
    item.error ?? '',
  ]);
  const widths = WIDTHS.map((width, i) =>
    Math.max(width, ...rows.map((cells) => (cells[i]?.length ?? 0) + 2)),
  );
  const lines = [HEAD, ...rows].map((cells) =>
    ` ${cells.map((cell, i) => oneLine(cell).padEnd(widths[i] ?? 0)).join('')}`.trimEnd(),
  );
  const title = status === 'PENDING' ? 'RUNNING' : status;
  return `${[title, ...lines, ...(resources.length === 0 && error !== undefined ? [` ${error}`] : [])].join('\n')}\n`;
}

/** What is looked at first while an apply is under way. */
const BY_INTEREST: Readonly<Record<ApplyItem['status'], number>> = {
  RUNNING: 0,
  FAILED: 1,
  PENDING: 2,
  READY: 3,
};

/**
 * The table while an apply is under way, to be drawn over again and again: no line wraps and none scrolls away. Where the terminal has too few lines,
 * what runs or failed comes before what waits or is READY, and the last line says how many are not shown.
 */
export function liveTable(
  state: ApplyState,
  terminal: { readonly rows: number; readonly columns: number },
): string {
  // The title, the head, the line of those that are not shown, and the cursor's.
  const room = Math.max(1, terminal.rows - 4);
  const shown =
    state.resources.length <= room
      ? state.resources
      : [...state.resources].sort((a, b) => BY_INTEREST[a.status] - BY_INTEREST[b.status]).slice(0, room);
  const hidden = state.resources.length - shown.length;
  const ready = state.resources.filter(({ status }) => status === 'READY').length;
  const more =
    hidden === 0 ? '' : ` ... and ${hidden} more; ${ready} of ${state.resources.length} are READY\n`;
  const lines = `${applyTable({ ...state, resources: shown })}${more}`.split('\n');
  return lines.map((line) => line.slice(0, Math.max(20, terminal.columns - 1))).join('\n');
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ');

/** `Creating source transactions demo`: one line for each resource that is new. */
export function creatingLines(
  plan: ApplyPlan,
  items: readonly Pick<ApplyItem, 'id' | 'name' | 'variant'>[],
): string {
  const byId = new Map(items.map((item) => [item.id, item]));
  return plan.created
    .flatMap((id) => byId.get(id) ?? [])
    .map(({ id, name, variant }) => `Creating ${kindOf(id)} ${name}${variant === '' ? '' : ` ${variant}`}\n`)
    .join('');
}

/** What an apply would do, for people. */
export function planText(plan: ApplyPlan, resources: ReadonlyMap<string, Resource>, where: string): string {
  const name = (id: string): string => {
    const resource = resources.get(id);
    return `${kindOf(id)} ${resource ? resourceName(resource) : id}`;
  };
  const { created, unchanged, updated, refused, runs } = plan;
  const lines = [
    `Plan for ${where}: ${created.length} new, ${unchanged.length} unchanged, ${refused.length} refused`,
    ...created.map((id) => `  + ${name(id)}`),
    ...updated.map(({ id, fields }) => `  ~ ${name(id)}: ${fields.join('; ')}`),
    ...refused.map(({ message }) => `  ! ${message.replaceAll('\n', '\n    ')}`),
    ...runs.map(({ pipeline, targets }) =>
      [
        `  > ${pipeline === undefined ? 'makes' : `pipeline ${pipeline} makes`}`,
        `${targets.slice(0, 8).map(name).join(', ')}${targets.length > 8 ? `, and ${targets.length - 8} more` : ''}`,
      ].join(' '),
    ),
    ...(refused.length === 0 && runs.length === 0 ? ['  nothing to make'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

const KINDS: Readonly<Record<string, string>> = { view: 'feature', trainingSet: 'training-set' };

const kindOf = (id: string): string => {
  const kind = id.split('/', 1)[0] ?? '';
  return KINDS[kind] ?? kind;
};
