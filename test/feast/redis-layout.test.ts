import { describe, expect, it } from 'vitest';
import { collidingFeatures, featureField, timestampField } from '../../feast/redis-layout.js';
import { hex } from './hex.js';

describe('hash fields', () => {
  it.each([
    ['user_features', 'f_total_events_7d', '8deb425f'],
    ['user_features', 'f_avg_amount_30d', '65393b2a'],
    ['user_features', 'f_last_country', '06092932'],
    ['driver_hourly_stats', 'conv_rate', '6160e3da'],
    ['widok_ż', 'cecha_ł', '0e17aeb6'],
  ])('of %s:%s is %s', (view, feature, expected) => {
    expect(hex(featureField(view, feature))).toBe(expected);
  });

  it('names the event time by the view', () => {
    expect(Buffer.from(timestampField('user_features')).toString()).toBe('_ts:user_features');
  });

  it('tells features apart whose hashes are equal', () => {
    expect(collidingFeatures([{ name: 'v', features: ['a', 'b'] }])).toEqual([]);
    expect(collidingFeatures([{ name: 'v', features: COLLISION }])).toEqual([COLLISION.map((f) => `v:${f}`)]);
  });
});

// Found by search: both hash to 0x4a5c3516.
const COLLISION = ['f_h69', 'f_4dfi'] as const;
