/**
 * The daily run, several days in a row: `npm run demo`. Expects the addresses of the services in the environment
 * (scripts/demo.mjs starts them), starts a worker as its own process, runs each day, and shows what came of it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createWriteStream, mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { GranaryClient, type RunResult } from 'granary/client';
import project, { airportView, daily, delays, routeView } from './granary.ts';
import { days, duration, table } from './demo-format.ts';

const environment = process.env['FLIGHTS_S3_BUCKET'] ? 's3' : 'dev';
const LOG = '.granary/logs/demo-worker.log';

const { values: flags } = parseArgs({
  options: {
    days: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    rebuild: { type: 'boolean', default: false },
    keep: { type: 'boolean' },
    files: { type: 'string' },
  },
});

/** The worker, through the shipped entry point; resolves once it polls. */
async function startWorker(): Promise<ChildProcess> {
  mkdirSync('.granary/logs', { recursive: true });
  const log = createWriteStream(LOG);
  const worker = spawn(
    process.execPath,
    ['cli/granary.cjs', 'worker', '--project', 'examples/flights/granary.ts', '--env', environment],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  worker.stdout.pipe(log, { end: false });
  await new Promise<void>((resolve, reject) => {
    createInterface(worker.stderr).on('line', (line) => {
      log.write(`${line}\n`);
      if (line.startsWith('granary worker: polls')) resolve();
    });
    worker.once('exit', (code) => {
      reject(new Error(`The worker ended with status ${String(code)} before it was ready; see ${LOG}.`));
    });
  });
  return worker;
}

async function stopWorker(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null) return;
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.kill('SIGTERM');
  await ended;
}

interface DayRun {
  readonly day: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly ms: number;
  readonly result: RunResult;
}

/** Runs one day and shows its steps as they end. */
async function runDay(client: GranaryClient, day: string): Promise<DayRun> {
  const started = performance.now();
  const run = await client.run(daily, { date: day, ...(flags.rebuild ? { rebuild: true } : {}) });
  const live = process.stdout.isTTY;
  let over = false;
  const ended = run.result().finally(() => (over = true));
  ended.catch(() => undefined);
  while (live && !over) {
    const steps = await run.steps();
    const line = steps
      .map(
        ({ step, status }) =>
          `${status === 'COMPLETED' ? '✔' : status === 'RUNNING' ? '▸' : '·'} ${shortName(step)}`,
      )
      .join('  ');
    process.stdout.write(`\r\x1b[2K${day}  ${line}`);
    await Promise.race([ended.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 150))]);
  }
  const result = await ended;
  const ms = performance.now() - started;
  const made = result.steps.filter((step) => step.outcome === 'made');
  const rows = made.reduce((n, step) => n + step.rows, 0);
  const text =
    made.length === 0 ? 'was valid already' : `${made.length} steps, ${rows.toLocaleString('en')} rows`;
  process.stdout.write(`${live ? '\r\x1b[2K' : ''}${day}  ${text}, ${duration(ms)}\n`);
  return { day, workflowId: run.workflowId, runId: run.runId, ms, result };
}

const KINDS: Readonly<Record<string, string>> = {
  source: '',
  view: ' (online)',
  trainingSet: ' (training set)',
};

/** `view/airport.1a2b3c4d` -> `airport (online)`. */
function shortName(step: string): string {
  const [kind = '', name = ''] = step.split('/');
  return `${name.replace(/\.[^.]+$/, '')}${KINDS[kind] ?? ''}`;
}

function showStored(runs: readonly DayRun[]): void {
  const last = runs.at(-1);
  console.log(`\nStored for ${last?.day ?? ''}:`);
  console.log(
    table(
      ['what', 'rows', 'version', 'where'],
      (last?.result.steps ?? []).map((s) => [
        shortName(s.step),
        s.rows.toLocaleString('en'),
        s.version ?? '',
        s.location ?? '',
      ]),
      [1],
    ),
  );
}

async function showOnline(client: GranaryClient): Promise<void> {
  const airports = ['ATL', 'ORD', 'ANC'].map((airport) => ({ airport }));
  const routes = [
    { origin: 'LAX', destination: 'SFO' },
    { origin: 'ATL', destination: 'DFW' },
  ];
  console.log('\nOnline, by airport:');
  const byAirport = await client.features(airportView, airports);
  console.log(
    table(
      ['airport', ...airportView.features.map((f) => f.name), 'as of'],
      byAirport.map((row, i) => [airports[i]?.airport, ...Object.values(row.values), row.eventTime]),
    ),
  );
  console.log('\nOnline, by route:');
  const byRoute = await client.features(routeView, routes);
  console.log(
    table(
      ['origin', 'destination', ...routeView.features.map((f) => f.name), 'as of'],
      byRoute.map((row, i) => [
        routes[i]?.origin,
        routes[i]?.destination,
        ...Object.values(row.values),
        row.eventTime,
      ]),
    ),
  );
}

async function showTraining(client: GranaryClient): Promise<void> {
  const set = await client.trainingSet(delays);
  const total = set.datasets.reduce((sum, { rows }) => sum + rows, 0);
  const rows: Readonly<Record<string, unknown>>[] = [];
  for await (const row of set.rows({ limit: 5 })) rows.push(row);
  const columns = Object.keys(set.schema);
  console.log(
    `\nTraining rows (${total.toLocaleString('en')} of ${set.datasets.length} days in ${set.uris.at(-1) ?? ''} and beside it):`,
  );
  // Fifteen columns do not fit a terminal: a row is shown as a column.
  console.log(
    table(
      ['column', ...rows.map((_, i) => `row ${i + 1}`)],
      columns.map((column) => [column, ...rows.map((row) => row[column])]),
    ),
  );
}

function showSpeed(runs: readonly DayRun[]): void {
  const parts = new Map<string, { rows: number; ms: number; days: number }>();
  for (const { result } of runs)
    for (const step of result.steps)
      for (const [part, ms] of Object.entries(step.ms)) {
        // Too quick to measure.
        if (ms === 0) continue;
        const key = `${shortName(step.step)}: ${part}`;
        const known = parts.get(key) ?? { rows: 0, ms: 0, days: 0 };
        parts.set(key, { rows: known.rows + step.rows, ms: known.ms + ms, days: known.days + 1 });
      }
  if (parts.size === 0) {
    console.log('\nEvery day was valid already: nothing was done. Add --rebuild to make them again.');
    return;
  }
  console.log('\nTime by step:');
  console.log(
    table(
      ['step', 'days', 'rows', 'seconds', 'rows a second'],
      [...parts].map(([step, { rows, ms, days: n }]) => [
        step,
        n,
        rows.toLocaleString('en'),
        (ms / 1000).toFixed(2),
        Math.round((rows / Math.max(ms, 1)) * 1000).toLocaleString('en'),
      ]),
      [1, 2, 3, 4],
    ),
  );
}

function showRuns(runs: readonly DayRun[]): void {
  const ui = process.env['TEMPORAL_UI_ADDRESS'];
  console.log(
    `\nRuns${ui === undefined ? '' : ` in the Temporal UI${flags.keep ? '' : ' (with --keep it stays up)'}`}:`,
  );
  for (const { day, workflowId, runId } of runs)
    console.log(
      `  ${day}  ${ui === undefined ? `${workflowId} ${runId}` : `${ui}/namespaces/default/workflows/${encodeURIComponent(workflowId)}/${runId}/history`}`,
    );
}

const span = days(flags, { first: '2001-01-01', last: '2001-06-30', from: '2001-01-08', days: 5 });
console.log(
  `\nflights_daily over 3,000,000 US flights, ${span.length} day${span.length === 1 ? '' : 's'}: ${span[0] ?? ''} to ${span.at(-1) ?? ''}`,
);
const worker = await startWorker();
const client = await GranaryClient.connect({ project, environment });
const stop = async (): Promise<void> => {
  await client.close();
  await stopWorker(worker);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void stop().finally(() => process.exit(130));
  });
try {
  const runs: DayRun[] = [];
  const started = performance.now();
  for (const day of span) runs.push(await runDay(client, day));
  console.log(`${span.length} days in ${duration(performance.now() - started)}`);
  showStored(runs);
  await showOnline(client);
  await showTraining(client);
  showSpeed(runs);
  showRuns(runs);
} finally {
  await stop();
}
