import { setImmediate } from 'node:timers/promises';
import { isKind, isRaw, type Resource } from '../definitions/contract.js';
import { isAsOf, isBefore, type Interval } from '../definitions/interval.js';
import { plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import { datasetInput, inputsHash, type DatasetInput } from './dataset.js';
import type { LedgerEntry } from './ledger.js';
import type { Registry } from './registry.js';
import type { IntervalRun } from './runs.js';
import { differences } from './stale.js';
import { trainingInputs, trainingReads } from './training-reads.js';
import { chooseVersions, readFrom, timed, type TimedVersion, type VersionReader } from './version-choice.js';

/**
 * How an interval of some targets stands.
 *  - `valid`: everything that makes them was made by the definitions that count, from what these would read now;
 *  - `stale`: it was made, but by another variant or from other versions;
 *  - `failed`: something was not made, and the last run that was to make it failed;
 *  - `running`: something was not made, and a run that is to make it is open;
 *  - `missing`: something was not made: never tried, cancelled, terminated.
 */
export type IntervalState = 'valid' | 'stale' | 'failed' | 'running' | 'missing';

export interface IntervalCoverage {
  readonly interval: Interval;
  readonly state: IntervalState;
  /** Why it is not valid, a sentence each: what is stale or was not made, what the last run says. */
  readonly reasons: readonly string[];
  /** Ids of the steps that were not made, or are stale. */
  readonly unmade: readonly string[];
  /** The last run of the interval that had one of the steps that were not made; where all were, one of any. */
  readonly run?: IntervalRun;
}

type Records = Pick<Registry, 'datasets' | 'ledger' | 'runs' | 'resources'>;

/**
 * How each of some intervals stands, in their order, by the registry alone: the ledger, the definitions' fingerprints, the versions that were read. What
 * lies outside is not asked: files and tables of others may have changed, and an online store may have been emptied; a run finds that out.
 * `resources` are the definitions that count, by id.
 */
export async function coverage(
  registry: Records,
  resources: ReadonlyMap<string, Resource>,
  wanted: { readonly targets: readonly string[]; readonly intervals: readonly Interval[] },
): Promise<IntervalCoverage[]> {
  const { targets, intervals } = wanted;
  const [first] = intervals;
  if (!first) return [];
  const steps = plan(resources, targets, first).steps.flatMap(({ id }) => resources.get(id) ?? []);
  const checks = await Promise.all(steps.map((step) => stepCheck(registry, resources, step)));
  const ids = steps.map(({ id }) => id);
  const span = spanOf(intervals);
  const runs = new Map<string, ReadonlyMap<string, IntervalRun>>();
  for (const id of ids) {
    const last = await registry.runs.lastByInterval(id, span);
    runs.set(id, new Map(last.map((run) => [key(run.interval), run])));
  }
  const found: IntervalCoverage[] = [];
  for (const [n, interval] of intervals.entries()) {
    // Ten years of them take seconds, in which a worker must send heartbeats.
    if (n % 20 === 19) await setImmediate();
    const verdicts = await Promise.all(checks.map((check) => check(interval)));
    // Another pipeline that shares some of the steps may have failed in one that is none of these.
    const missing = ids.filter((_, i) => verdicts[i]?.state === 'missing');
    const last = (missing.length > 0 ? missing : ids).flatMap((id) => runs.get(id)?.get(key(interval)) ?? []);
    found.push(
      stateOf(
        interval,
        verdicts,
        ids.filter((_, i) => verdicts[i]),
        last.reduce(newer, last[0]),
      ),
    );
  }
  return found;
}

const newer = (a: IntervalRun | undefined, b: IntervalRun): IntervalRun =>
  a && !isBefore(a.startedAt, b.startedAt) ? a : b;

/** What was found of one step and interval; undefined: it is valid. */
type Verdict = { readonly state: 'missing' | 'stale'; readonly reason: string } | undefined;

function stateOf(
  interval: Interval,
  verdicts: readonly Verdict[],
  unmade: readonly string[],
  run: IntervalRun | undefined,
): IntervalCoverage {
  const bad = verdicts.filter((verdict) => verdict !== undefined);
  const reasons = bad.map(({ reason }) => reason);
  const base = { interval, unmade, ...(run ? { run } : {}) };
  if (bad.length === 0) return { ...base, state: 'valid', reasons };
  if (bad.every(({ state }) => state === 'stale')) return { ...base, state: 'stale', reasons };
  if (run?.status === 'RUNNING' || run?.status === 'PENDING') return { ...base, state: 'running', reasons };
  if (run?.status === 'FAILED' || run?.status === 'DEADLINE_EXCEEDED')
    return { ...base, state: 'failed', reasons: [run.error ?? `its last run ended: ${run.status}`] };
  const ended = run && run.status !== 'COMPLETED' ? [`its last run ended: ${run.status}`] : [];
  return { ...base, state: 'missing', reasons: [...reasons, ...ended] };
}

/** Prepares what is to be known of a step once, for whichever interval is asked for. */
async function stepCheck(
  registry: Records,
  resources: ReadonlyMap<string, Resource>,
  step: Resource,
): Promise<(interval: Interval) => Promise<Verdict>> {
  const entries = await ledgerOf(registry, step.id);
  const others = await otherVariants(registry, step);
  const recorded = isKind(step, 'view')
    ? new Map<string, DatasetInput[]>()
    : await registry.datasets.inputsOfCurrent(step.id);
  const current = versionsOf(registry);
  return async (interval) => {
    const entry = entries.get(key(interval));
    if (!entry) {
      const other = others.find(({ made }) => made.has(key(interval)));
      if (other)
        return { state: 'stale', reason: `${step.id} was not made, but its variant ${other.variant} was` };
      return { state: 'missing', reason: `${step.id} was not made` };
    }
    if (entry.fingerprint !== step.fingerprint)
      return { state: 'stale', reason: `${step.id} was made by another definition` };
    const now = await readNow(resources, step, interval, current);
    if (now === undefined) return undefined;
    if (isKind(step, 'view')) {
      if (entry.inputsHash === inputsHash(now)) return undefined;
      return { state: 'stale', reason: `${step.id} was loaded from another version` };
    }
    const read = (recorded.get(entry.dataset ?? '') ?? []).filter(({ type }) => type === 'dataset');
    const reasons = differences(read, now);
    if (reasons.length === 0) return undefined;
    return { state: 'stale', reason: `${step.id}: ${reasons.join('; ')}` };
  };
}

type CurrentOf = (source: string) => Promise<readonly TimedVersion[]>;

/** Each source's current versions, asked once. */
function versionsOf({ datasets }: Records): CurrentOf {
  const known = new Map<string, Promise<readonly TimedVersion[]>>();
  return async (source) => {
    const found = known.get(source) ?? datasets.current(source).then((versions) => versions.map(timed));
    known.set(source, found);
    return await found;
  };
}

/** The versions that a step would read for an interval now, as a claim finds them; undefined: it reads none, but files or tables of others. */
async function readNow(
  resources: ReadonlyMap<string, Resource>,
  step: Resource,
  interval: Interval,
  current: CurrentOf,
): Promise<DatasetInput[] | undefined> {
  const choose = async (source: Resource<'source'>, reader: VersionReader): Promise<DatasetInput[]> =>
    isRaw(source.spec) ? [] : chooseVersions(source, await current(source.id), reader).map(datasetInput);
  if (isKind(step, 'source')) {
    const { spec } = step;
    if (isRaw(spec)) return undefined;
    const from = readFrom(spec, interval);
    const sources = [...new Set(Object.values(spec.inputs))].map((id) => resourceOf(resources, id, 'source'));
    const reads = await Promise.all(
      sources.map((source) => choose(source, { interval, by: 'interval', from })),
    );
    return reads.flat();
  }
  if (isKind(step, 'view')) {
    const source = resourceOf(resources, step.spec.source, 'source');
    if (isRaw(source.spec)) return undefined;
    return await choose(source, { interval, by: 'interval', from: undefined, newest: true });
  }
  if (isKind(step, 'trainingSet') && !isAsOf(interval))
    return await trainingInputs(trainingReads(resources, step, interval), ({ source, reader }) =>
      choose(source, reader),
    );
  return undefined;
}

/** The other variants of a step's name, with the intervals that they were made for. */
async function otherVariants(
  registry: Records,
  { id, kind, name }: Resource,
): Promise<{ readonly variant: string; readonly made: ReadonlyMap<string, LedgerEntry> }[]> {
  const known = [...(await registry.resources.all()).values()];
  const others = known.filter((other) => other.kind === kind && other.name === name && other.id !== id);
  return await Promise.all(
    others.map(async (other) => ({ variant: other.variant, made: await ledgerOf(registry, other.id) })),
  );
}

const ledgerOf = async (
  { ledger }: Pick<Registry, 'ledger'>,
  target: string,
): Promise<Map<string, LedgerEntry>> =>
  new Map((await ledger.of(target)).map((entry) => [key(entry.interval), entry]));

const key = ({ start, end }: Interval): string => `${start}..${end}`;

/** From the first start to the last end. */
const spanOf = (intervals: readonly Interval[]): Interval =>
  intervals.reduce((span, { start, end }) => ({
    start: isBefore(start, span.start) ? start : span.start,
    end: isBefore(span.end, end) ? end : span.end,
  }));
