import { compiledContract } from '../definitions/contract-file.js';
import { resourceName } from '../definitions/upstream.js';
import { outcomesOf } from '../registry/apply-outcome.js';
import { childIds } from '../registry/settle.js';
import { crashPoint } from './crash-points.js';
import type { ApplyEnd, ApplyOutcome } from './messages.js';
import type { Runtime } from './runtime.js';

/** Settles the status of every resource of an apply, and records how it ended. Nothing stays PENDING. */
export async function finishApply(runtime: Runtime, end: ApplyEnd): Promise<ApplyOutcome> {
  const { registry } = runtime;
  const apply = await registry.applies.get(end.apply);
  if (apply && apply.endedAt === undefined) {
    const { resources } = compiledContract(await registry.applies.contract(end.apply));
    const [items, steps] = await Promise.all([
      registry.applies.items(end.apply),
      registry.applies.steps(childIds(apply)),
    ]);
    const runErrors = new Map(
      end.runErrors.flatMap(({ run, message }) =>
        (apply.plan?.runs[run]?.targets ?? []).map((id) => [id, message] as const),
      ),
    );
    const outcomes = outcomesOf({
      resources,
      items,
      steps,
      runErrors,
      ...(end.unfinished === undefined ? {} : { unfinished: end.unfinished }),
    });
    const failed =
      end.status !== 'COMPLETED' ||
      outcomes.some(({ status }) => status === 'FAILED') ||
      items.some(({ status }) => status === 'FAILED');
    await crashPoint('apply.before-end');
    await registry.applies.end(
      end.apply,
      end.status === 'COMPLETED' && failed ? 'FAILED' : end.status,
      outcomes,
      end.error,
    );
  }
  await crashPoint('apply.after-end');
  const failed = (await registry.applies.items(end.apply)).filter(({ status }) => status === 'FAILED');
  const errors = failed.map((item) => `${resourceName(item)}: ${item.error ?? ''}`);
  await registry.runs.end(
    end.run.id,
    end.status === 'COMPLETED' && failed.length > 0 ? 'FAILED' : end.status,
    [],
    end.error ?? (errors.slice(0, 20).join('\n') || undefined),
  );
  return { failed: failed.length, errors: errors.slice(0, 20) };
}
