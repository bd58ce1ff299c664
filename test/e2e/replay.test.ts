import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { describe, expect, it } from 'vitest';
import { workflowsPath } from '../../worker/index.js';
import { scrubbed } from '../support/recorded-history.js';

/**
 * Every workflow of every recorded history must replay: a change of workflow code that would break runs in flight fails here. Histories
 * are recorded by `GRANARY_RECORD_HISTORIES=1 npm test -- test/e2e/record-histories.test.ts`, into a folder of the release.
 */
const HISTORIES = 'test/histories';
const files = (await readdir(HISTORIES, { recursive: true })).filter((name) => name.endsWith('.json')).sort();

describe('recorded histories', () => {
  it('are there for every workflow, and for runs that failed, waited and were cancelled', () => {
    expect(files.map((name) => name.replace(/^.*\//, ''))).toEqual(
      expect.arrayContaining([
        'apply.json',
        'apply-failed.json',
        'backfill.json',
        'cancelled.json',
        'deadline.json',
        'deadline-exceeded.json',
        'failed.json',
        'materialize.json',
        'pipeline.json',
        'pipeline-current.json',
        'promote.json',
        'remove-files.json',
        'remove.json',
        'rollback.json',
        'scheduled.json',
        'store-replaced.json',
        'training-set.json',
        'waited.json',
        'wrong-input.json',
      ]),
    );
  });

  it.each(files)('%s names no machine: no folder, no process, no stack trace', async (name) => {
    const recorded: unknown = JSON.parse(await readFile(join(HISTORIES, name), 'utf8'));
    expect(recorded).toEqual(scrubbed(recorded));
  });

  it.each(files)('%s replays', async (name) => {
    const history = historyFromJSON(JSON.parse(await readFile(join(HISTORIES, name), 'utf8')));
    await Worker.runReplayHistory({ workflowsPath }, history, name);
  });

  it('would not replay if a step were left out', async () => {
    const recorded = JSON.parse(
      await readFile(join(HISTORIES, files.find((name) => name.endsWith('/pipeline.json')) ?? ''), 'utf8'),
    ) as { events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[] };
    const scheduled = recorded.events.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType.name === 'validateRows',
    );
    if (scheduled?.activityTaskScheduledEventAttributes)
      scheduled.activityTaskScheduledEventAttributes.activityType.name = 'storeVersion';
    await expect(
      Worker.runReplayHistory({ workflowsPath }, historyFromJSON(recorded), 'changed'),
    ).rejects.toThrow(/[Nn]ondeterminism/);
  });
});
