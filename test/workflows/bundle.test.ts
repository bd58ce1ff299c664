import { builtinModules } from 'node:module';
import { bundleWorkflowCode } from '@temporalio/worker';
import { expect, it } from 'vitest';
import * as workflows from '../../workflows/index.js';
import { workflowsPath } from '../../worker/index.js';

const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

it('the workflow bundle holds nothing of Node, no engine, no client and no time-zone arithmetic', async () => {
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: quiet });
  const modules = [...code.matchAll(/!\*\*\* (\S+) \*\*\*!/g)].map(([, name]) => name ?? '');
  expect(modules.length).toBeGreaterThan(20);
  const foreign = modules.filter((name) =>
    /node_modules\/(?!@temporalio\/(common|workflow|proto)|nexus-rpc|ms|long|protobufjs|@protobufjs|assert|url|util)/.test(
      name,
    ),
  );
  expect(foreign).toEqual([]);
  expect(
    modules.filter((name) => /\/(activities|providers|registry|client|worker|feast)\//.test(name)),
  ).toEqual([]);
  expect(modules.filter((name) => name.includes('ticks'))).toEqual([]);
  // `assert`, `url` and `util` are the sandbox's own.
  const builtins = builtinModules.filter((name) => !['assert', 'url', 'util'].includes(name));
  expect(
    builtins.filter(
      (name) => modules.includes(`external "${name}"`) || code.includes(`require("node:${name}")`),
    ),
  ).toEqual([]);
  expect(code).not.toContain('Intl.DateTimeFormat');
});

it('every exported function is a workflow type that people start', () => {
  expect(Object.keys(workflows).sort()).toEqual([
    'apply',
    'backfill',
    'deadline',
    'materialize',
    'pipeline',
    'promote',
    'remove',
    'rollback',
    'trainingSet',
  ]);
});
