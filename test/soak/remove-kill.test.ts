import { CRASH_POINTS } from '../../activities/crash-points.js';
import { removeKills } from '../support/remove-kills.js';

removeKills(CRASH_POINTS.filter((point) => point.startsWith('remove.')));
