import { CRASH_POINTS } from '../../activities/crash-points.js';
import { backfillKills } from '../support/backfill-kills.js';

backfillKills(CRASH_POINTS.filter((point) => point.startsWith('backfill.')));
