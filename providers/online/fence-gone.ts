import { GranaryError } from '../../definitions/errors.js';
import type { OnlineView } from './provider.js';

/** The fence that stood before a removal began is not there: neither are the rows that it was raised for. */
export const fenceGone = (view: OnlineView, promotion: number): GranaryError =>
  new GranaryError(
    'StoreReplaced',
    `The fence of promotion ${promotion} of the view ${view.name} is gone: the online store was emptied or replaced meanwhile.`,
  );
