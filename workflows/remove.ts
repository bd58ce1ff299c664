import { setCurrentDetails } from '@temporalio/workflow';
import type { RemovalOutcome, RemovalQuestion } from '../activities/messages.js';
import { exportFeast } from './export-feast.js';
import { inOwnWords } from './own-words.js';
import { clearing, quick, resolving } from './profiles.js';

/**
 * Marks the resource, takes its data away, then forgets it. Cut off at any line, the mark keeps everybody else away from it, and the
 * same may be asked for again.
 */
export async function removeResource(question: RemovalQuestion): Promise<RemovalOutcome> {
  return await inOwnWords(async () => {
    const removal = await resolving.beginRemoval(question);
    setCurrentDetails(
      `Deleting **${removal.id}**: ${removal.versions} versions${removal.online ? ', values online' : ''}`,
    );
    const entities = removal.online
      ? await clearing(removal, `remove ${removal.id} online`).removeOnline(removal)
      : undefined;
    if (removal.versions > 0)
      await clearing(removal, `remove the versions of ${removal.id}`).removeFiles(removal);
    const outcome = await quick(removal, `forget ${removal.id}`).finishRemoval({
      ...removal,
      ...(typeof entities === 'number' ? { entities } : {}),
    });
    await exportFeast(removal);
    return outcome;
  });
}
