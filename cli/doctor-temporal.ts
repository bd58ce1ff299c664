import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { Workflows } from '../client/workflows.js';
import { messageOf } from '../definitions/errors.js';
import type { Scope } from '../definitions/project.js';
import { SEARCH_ATTRIBUTES } from '../definitions/search-attributes.js';
import { clockFinding, failed, fixed, ok, skipped, warning, type Finding } from './doctor-findings.js';

const NOT_FOUND = 5; // gRPC's status code
const WORKFLOW_TASKS = 1; // temporal.api.enums.v1.TaskQueueType
const ACTIVITY_TASKS = 2;
/** `temporal.api.enums.v1.IndexedValueType`, of the types that are used. */
const TYPES = { KEYWORD: 2, DATETIME: 6 } as const;

const REST = ['namespace', 'worker', 'search attributes', 'clock of Temporal'];

/** Checks of Temporal; `fix` registers the search attributes that are missing, and nothing else. */
export async function checkTemporal(
  scope: Scope,
  taskQueue: string | undefined,
  { fix }: { readonly fix: boolean },
): Promise<Finding[]> {
  let workflows: Workflows;
  try {
    workflows = await Workflows.connect(scope, taskQueue);
  } catch (error) {
    return [
      failed('temporal', messageOf(error)),
      ...REST.map((check) => skipped(check, 'Temporal does not answer')),
    ];
  }
  try {
    const { namespace } = workflows.temporal.options;
    const { address } = connectionOf(workflows).options;
    const reached = ok('temporal', `answers at ${address}`);
    const found = await checkNamespace(workflows, namespace);
    if (found.state !== 'ok')
      return [reached, found, ...REST.slice(1).map((check) => skipped(check, 'there is no such namespace'))];
    return [
      reached,
      found,
      await checkWorker(workflows, scope),
      await checkAttributes(workflows, namespace, fix),
      await checkClock(workflows, namespace),
    ];
  } finally {
    await workflows.close();
  }
}

const connectionOf = ({ temporal }: Workflows): Connection => temporal.connection as Connection;

async function checkNamespace({ temporal }: Workflows, namespace: string): Promise<Finding> {
  try {
    await temporal.workflowService.describeNamespace({ namespace });
    return ok('namespace', namespace);
  } catch (error) {
    if (!isGrpcServiceError(error) || (error.code as number) !== NOT_FOUND) throw error;
    return failed(
      'namespace',
      `there is no namespace "${namespace}"`,
      `temporal operator namespace create -n ${namespace}, or correct TEMPORAL_NAMESPACE.`,
    );
  }
}

async function checkWorker({ temporal, taskQueue }: Workflows, { environment }: Scope): Promise<Finding> {
  const { namespace } = temporal.options;
  const { pollers } = await temporal.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: WORKFLOW_TASKS,
  });
  if (pollers.length > 0)
    return ok('worker', `${pollers.map(({ identity }) => identity).join(', ')} on ${taskQueue}`);
  return warning('worker', `none polls ${taskQueue}`, `granary worker --env ${environment}`);
}

async function checkAttributes(workflows: Workflows, namespace: string, fix: boolean): Promise<Finding> {
  const check = 'search attributes';
  const { operatorService } = connectionOf(workflows);
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const entries = Object.entries(SEARCH_ATTRIBUTES);
  const wrong = entries.filter(
    ([name, type]) => ![undefined, TYPES[type]].includes(customAttributes[name] as never),
  );
  if (wrong.length > 0)
    return warning(
      check,
      `${wrong.map(([name, type]) => `${name} is not of the type ${type}`).join(', ')}: runs do not set any`,
      'Remove them (temporal operator search-attribute remove), then: granary doctor --fix',
    );
  const missing = entries.filter(([name]) => customAttributes[name] === undefined);
  const names = missing.map(([name]) => name).join(', ');
  if (missing.length === 0) return ok(check, entries.map(([name]) => name).join(', '));
  if (!fix)
    return warning(check, `not registered, so that runs do not set any: ${names}`, 'granary doctor --fix');
  await operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, TYPES[type]])),
  });
  return fixed(check, `registered: ${names}. Runs set them from now on, within a minute.`);
}

/**
 * Temporal tells no time. But it notes when somebody polled a queue: this polls one of its own, which nobody else uses, and looks at that.
 */
async function checkClock(workflows: Workflows, namespace: string): Promise<Finding> {
  const { workflowService } = workflows.temporal;
  const taskQueue = { name: `granary-doctor-${randomUUID()}` };
  const over = new AbortController();
  const asked = Date.now();
  const connection = connectionOf(workflows);
  const poll = connection
    // Temporal takes no poll without a deadline.
    .withDeadline(Date.now() + 10_000, () =>
      connection.withAbortSignal(over.signal, () =>
        workflowService.pollActivityTaskQueue({ namespace, taskQueue, identity: 'granary doctor' }),
      ),
    )
    .catch(() => undefined);
  const seen = async (): Promise<number | undefined> => {
    const { pollers } = await workflowService.describeTaskQueue({
      namespace,
      taskQueue,
      taskQueueType: ACTIVITY_TASKS,
    });
    const at = pollers[0]?.lastAccessTime;
    return at ? Number(at.seconds) * 1000 + Number(at.nanos ?? 0) / 1e6 : undefined;
  };
  let at = await seen();
  // The poll may be on its way still.
  for (let tries = 0; at === undefined && tries < 50; tries++) {
    await sleep(100);
    at = await seen();
  }
  const answered = Date.now();
  over.abort();
  await poll;
  if (at === undefined) return skipped('clock of Temporal', 'Temporal does not say');
  return clockFinding('Temporal', {
    at,
    askedAt: (asked + answered) / 2,
    within: (answered - asked) / 2,
  });
}
