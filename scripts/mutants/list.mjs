/**
 * @typedef {{ readonly file: string, readonly from: string, readonly to: string }} Edit a text that occurs once, and what takes its place
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} without the protection that is off
 * @property {readonly Edit[]} edits
 * @property {readonly string[]} tests test files that must notice
 * @property {string} [only] a pattern of test names
 * @property {boolean} [inWorkerProcess] whether they start `granary worker`, which is compiled first
 */

/** @type {readonly Mutant[]} */
export const mutants = [
  {
    name: 'token-check',
    without: 'a commit under a token that is not the highest goes through',
    edits: [{ file: 'registry/ownership.ts', from: 'if (row.token !== token)', to: 'if (row.token < 0)' }],
    tests: ['test/registry/ownership.test.ts'],
  },
  {
    name: 'owner-check',
    without: 'a run that has ended, or owns the interval no more, may commit',
    edits: [
      {
        file: 'registry/ownership.ts',
        from: 'if (!row || row.run_id !== run.id) throw',
        to: 'if (!row) throw',
      },
      {
        file: 'registry/ownership.ts',
        from: 'if (ended && ended.ended_at !== null) throw',
        to: 'if (ended && ended.ended_at === undefined) throw',
      },
      { file: 'registry/ownership.ts', from: 'if (row.token !== token)', to: 'if (row.token < 0)' },
    ],
    tests: ['test/faults/zombie.test.ts'],
    only: 'store.before-commit',
    inWorkerProcess: true,
  },
  {
    name: 'newer-wins',
    without: 'Redis takes every row, whatever it holds',
    edits: [
      { file: 'providers/online/redis/write-script.ts', from: '  if x > 0 then', to: '  if x > -100 then' },
    ],
    tests: ['test/providers/online.test.ts'],
  },
  {
    name: 'commit-before-publish',
    without: 'files are published before the commit',
    edits: [
      {
        file: 'activities/store-version.ts',
        from: "    await crashPoint('store.before-commit');",
        to: `    for (const file of files)
      await runtime.providers.files(staged.store).publish({ ...file, path: file.staged }, \`\${versionsFolder(target)}/\${version}/\${file.name}\`);
    await crashPoint('store.before-commit');`,
      },
    ],
    tests: ['test/e2e/kill.test.ts'],
    only: 'store.before-commit',
    inWorkerProcess: true,
  },
  {
    name: 'check-after-load',
    without: 'a load that the online store does not hold is recorded',
    edits: [
      {
        file: 'activities/check-shard.ts',
        from: 'if (missing + different === 0) return counts;',
        to: 'if (missing + different >= 0) return counts;',
      },
    ],
    tests: ['test/e2e/materialize.test.ts'],
  },
  {
    name: 'checkpoint-checksum',
    without: 'a load resumes at a checkpoint of other bytes',
    edits: [{ file: 'activities/load-shard.ts', from: ' && kept.sha256 === sha256', to: '' }],
    tests: ['test/activities/load.test.ts'],
  },
  {
    name: 'facts-of-an-attempt',
    without: 'what an attempt found of its rows is taken for those of another',
    edits: [{ file: 'registry/version-facts.ts', from: "      .where('staged', '=', staged)\n", to: '' }],
    tests: ['test/registry/version-facts.test.ts'],
  },
  {
    name: 'validation-before-publish',
    without: 'a version is stored before it is validated',
    edits: [
      {
        file: 'workflows/run-step.ts',
        from: "const validation = await heavy(settings, say('validate')).validateRows({ ...work, staged });\n      const stored = await publish(settings, say('store')).storeVersion({ ...request, staged, validation });",
        to: "const stored = await publish(settings, say('store')).storeVersion({ ...request, staged });\n      const validation = await heavy(settings, say('validate')).validateRows({ ...work, staged });",
      },
    ],
    tests: ['test/e2e/bad-input.test.ts'],
    only: 'a rule refuses',
  },
  {
    name: 'latest-fence',
    without: 'a slow writer of latest does not look again before it writes',
    edits: [
      {
        file: 'providers/files/local-latest.ts',
        from: "      if (!(await isNewest())) return 'superseded';\n      if (await renamed(newPointer, pointer)) {",
        to: '      if (await renamed(newPointer, pointer)) {',
      },
    ],
    tests: ['test/providers/files.test.ts'],
  },
  {
    name: 'receipts',
    without: 'an online store that lost rows passes for whole',
    edits: [
      {
        file: 'activities/online-contents.ts',
        from: 'if (recorded <= (await',
        to: 'if (recorded <= 1e15 + (await',
      },
    ],
    tests: ['test/faults/online-loss.test.ts'],
  },
  {
    name: 'removal-keys',
    without: 'a deletion takes every key that the pattern finds, also of projects whose name ends alike',
    edits: [
      {
        file: 'providers/online/redis/remove-view.ts',
        from: 'const keys = found.filter(matches);',
        to: 'const keys = matches ? found : [];',
      },
    ],
    tests: ['test/providers/online.test.ts'],
  },
  {
    name: 'removal-fence',
    without: 'a deletion that slept takes away what was loaded since',
    edits: [
      {
        file: 'providers/online/redis/remove-view.ts',
        from: "const REMOVE = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end",
        to: 'const REMOVE = `',
      },
      {
        file: 'providers/online/redis/remove-view.ts',
        from: "const FORGET = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end",
        to: 'const FORGET = `',
      },
    ],
    tests: ['test/providers/online.test.ts'],
  },
  {
    name: 'removal-mark',
    without: 'a run begins while what it makes is being deleted',
    edits: [
      {
        file: 'registry/migrations.ts',
        from: "  PERFORM pg_advisory_xact_lock_shared(hashtextextended('granary:removals:' || TG_TABLE_SCHEMA, 0));\n",
        to: '',
      },
    ],
    tests: ['test/registry/removal.test.ts'],
  },
  {
    name: 'promotion-fence',
    without: 'rows of a variant that is no longer the default come in over or beside those of the new one',
    edits: [
      {
        file: 'providers/online/redis/write-script.ts',
        from: "  if fence > 0 and unpack('>I4', m) < fence then x = -1 end\n",
        to: '',
      },
    ],
    tests: ['test/providers/online.test.ts'],
    only: 'promotion',
  },
  {
    name: 'transaction-listener',
    without: 'a Postgres that goes away between two statements of a transaction ends the worker',
    edits: [
      {
        file: 'registry/database.ts',
        from: "  pool.on('connect', (client) => client.on('error', () => undefined));\n",
        to: '',
      },
    ],
    tests: ['test/registry/database.test.ts'],
  },
  {
    name: 'tombstone-check',
    without: 'an older row brings back an entity that a full refresh has removed',
    edits: [
      {
        file: 'providers/online/redis/write-script.ts',
        from: 'byte(g, 29) == 255 and compare(m, g) <= 0 then x = -1',
        to: 'byte(g, 29) == 255 and compare(m, g) <= 0 then x = 1',
      },
    ],
    tests: ['test/providers/online.test.ts'],
    only: 'tombstones',
  },
  {
    name: 'refresh-whole',
    without:
      'the load of an old day, after a refresh that was cut off, wins over newer rows, and the rest is taken away',
    edits: [
      {
        file: 'activities/stage-online.ts',
        from: 'const whole = await isUnsettled(runtime, view);',
        to: 'const whole = (await isUnsettled(runtime, view)) && step.name === undefined;',
      },
    ],
    tests: ['test/faults/refresh-kill.test.ts'],
    only: 'terminated',
    inWorkerProcess: true,
  },
  {
    name: 'due-once',
    without: 'an interval whose local time comes twice is made twice',
    edits: [
      {
        file: 'activities/due-intervals.ts',
        from: 'due.filter(({ interval }) => !made.has(interval)).map(',
        to: 'due.filter(() => made.size >= 0).map(',
      },
    ],
    tests: ['test/faults/scheduled-runs.test.ts'],
    only: 'around a change of clocks',
  },
  {
    name: 'past',
    without: 'a pipeline that depends on its past goes on without it',
    edits: [
      {
        file: 'activities/past.ts',
        from: 'if (valid.length > 0) return;',
        to: 'if (valid.length >= 0) return;',
      },
    ],
    tests: ['test/faults/scheduled-runs.test.ts'],
    only: 'depends on its past',
  },
  {
    name: 'pause-kept',
    without: 'an apply undoes a pause that comes between its look and its write',
    edits: [{ file: 'client/schedule-store.ts', from: '    careful.sawState(before);\n', to: '' }],
    tests: ['test/e2e/schedules.test.ts'],
    only: 'an apply of schedules',
  },
  {
    name: 'backfill-line',
    without: 'what looks back on days in flight does not wait for them',
    edits: [
      {
        file: 'workflows/run-backfill.ts',
        from: '          before: (step) => line.before(part, step),\n',
        to: '',
      },
    ],
    tests: ['test/e2e/backfill.test.ts'],
    only: 'looks back',
  },
  {
    name: 'backfill-renews',
    without: 'a backfill keeps all its intervals in one history',
    edits: [
      {
        file: 'workflows/run-backfill.ts',
        from: 'return continueAsNewSuggested || historyLength > MOST_EVENTS || historySize > MOST_BYTES;',
        to: 'return continueAsNewSuggested && historyLength > 10 * MOST_EVENTS && historySize > MOST_BYTES;',
      },
    ],
    tests: ['test/faults/backfill-history.test.ts'],
  },
  {
    name: 'backfill-plan-once',
    without: 'a worker that dies after it planned a backfill leaves it planned twice',
    edits: [
      {
        file: 'registry/backfills.ts',
        from: 'if (known) return known;',
        to: 'if (known && intervals.length === 0) return known;',
      },
    ],
    tests: ['test/faults/backfill-kill.test.ts'],
    only: 'after-plan goes on',
    inWorkerProcess: true,
  },
  {
    name: 'deadline-from-without',
    without: 'a run that somebody cancels counts as one that missed its deadline',
    edits: [
      {
        file: 'workflows/within.ts',
        from: 'if (ended.byDeadline) return { exceeded: true };',
        to: 'if (error !== undefined) return { exceeded: true };',
      },
    ],
    tests: ['test/faults/deadlines.test.ts'],
    only: 'somebody cancels',
  },
  {
    name: 'deadline-once',
    without: 'a deadline is raised by each that notices it',
    edits: [
      {
        file: 'registry/migrations.ts',
        from: ', UNIQUE (kind, pipeline, interval_start, interval_end, step)',
        to: '',
      },
      {
        file: 'registry/events.ts',
        from: "c.columns(['kind', 'pipeline', 'interval_start', 'interval_end', 'step']).doNothing()",
        to: 'c.doNothing()',
      },
    ],
    tests: ['test/faults/deadlines.test.ts'],
    only: 'once',
  },
  {
    name: 'torn-label',
    without: 'label rows in versions that overlap in part count twice',
    edits: [
      {
        file: 'registry/version-choice.ts',
        from: 'if (reader.once === true) refuseOverlap(source, chosen);',
        to: '',
      },
    ],
    tests: ['test/e2e/training-set-intervals.test.ts'],
    only: 'overlap in part',
  },
  {
    name: 'unnamed-times',
    without: 'rows with times in a column that nobody named take the newest values',
    edits: [{ file: 'client/entity-columns.ts', from: '  checkTimes(found, needs);\n', to: '' }],
    tests: ['test/e2e/historical.test.ts'],
    only: 'with times in another column alone',
  },
];
