import type { JoinProfile } from '../definitions/profile.js';
import type { Resource } from '../definitions/contract.js';
import type { JoinStatistics } from '../providers/offline/provider.js';
import type { MadeRows } from './examine-version.js';
import type { TrainingPlan } from './training-set-plan.js';

/** What a join counted, a view each; in microseconds. */
export type JoinCounts = Pick<JoinStatistics, 'rows' | 'matched' | 'createdLater' | 'ages'>;

/** What is told of values that are not known to have been there at the label's time. */
const CONSTANT = "constant: may contain the label's future";

/** How each view of a training set met the label rows. */
export const joinProfiles = (
  plan: Pick<TrainingPlan, 'views' | 'spine'>,
  joined: JoinCounts,
): JoinProfile[] =>
  plan.views.map(({ name, columns, timestampField, createdTimestampField }, i) => {
    const matched = joined.matched[i] ?? 0;
    // A label without a time takes the newest row, which may be from its future.
    const inTime = timestampField !== undefined && plan.spine.timestampField !== undefined;
    const createdLater = joined.createdLater[i];
    const age = joined.ages[i];
    return {
      view: name,
      columns: columns.map(({ as }) => as),
      matched,
      matchRate: joined.rows === 0 ? 0 : matched / joined.rows,
      ...(inTime ? {} : { constant: CONSTANT }),
      ...(inTime && createdTimestampField !== undefined && createdLater !== undefined
        ? { createdLater }
        : {}),
      ...(inTime && age !== undefined
        ? { age: { min: age.min / 1e6, median: age.median / 1e6, max: age.max / 1e6 } }
        : {}),
    };
  });

/** What a training set's rules look at. The label's time is a column only where the set carries it. */
export function ruledSet(
  { name, spec }: Resource<'trainingSet'>,
  { spine }: Pick<TrainingPlan, 'spine'>,
): Pick<MadeRows, 'name' | 'rules' | 'timestampField'> {
  const { timestampField } = spine;
  const isCarried = spine.columns.some(({ column }) => column === timestampField);
  return { name, rules: spec.validate ?? [], timestampField: isCarried ? timestampField : undefined };
}
