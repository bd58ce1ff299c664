import { GranaryError } from '../../definitions/errors.js';
import type { OnlineBatch, OnlineView } from './provider.js';

/**
 * Refuses a batch with a NULL key before any of it is written.
 * @throws GranaryError `NullKey` with the join key's name and the row.
 */
export function refuseNullKeys(view: OnlineView, batch: OnlineBatch): void {
  view.joinKeys.forEach(({ name }, i) => {
    const column = batch.keys[i] ?? [];
    for (let row = 0; row < batch.rows; row++)
      if (column[row] === null || column[row] === undefined)
        throw new GranaryError(
          'NullKey',
          `The join key "${name}" of view "${view.name}" is NULL in row ${row} of the batch.`,
          {
            details: { view: view.name, joinKey: name, row },
          },
        );
  });
}
