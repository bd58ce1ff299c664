import { describe, expect, it } from 'vitest';
import { refuseColliding } from '../../activities/colliding-features.js';
import type { RegisteredResource } from '../../registry/resources.js';

/** Two features of one view whose field in Redis is the same. */
const PAIR = ['f_h69', 'f_4dfi'] as const;

const view = (
  features: readonly string[],
  { location = 'v', keys = ['user_id'], online = 'online' } = {},
): RegisteredResource =>
  ({
    ...{ kind: 'view', name: location, location },
    spec: {
      ...(online === '' ? {} : { online }),
      joinKeys: keys.map((name) => ({ name, type: 'int64' })),
      features: features.map((name) => ({ name, type: 'int64' })),
    },
  }) as unknown as RegisteredResource;

const refusal = (views: readonly RegisteredResource[]): void =>
  refuseColliding(views, (store) => store === 'online');

describe('features that would overwrite each other in Redis', () => {
  it('are refused by name', () => {
    expect(() => {
      refusal([view(['a']), view(PAIR)]);
    }).toThrow(
      expect.objectContaining({
        code: 'InvalidDefinition',
        message: expect.stringMatching(
          /^The features v:f_h69 and v:f_4dfi would overwrite each other in Redis.* Rename one of them\.$/,
        ) as unknown,
      }),
    );
  });

  it.each([
    ['by other join keys', [view([PAIR[0]]), view([PAIR[1]], { keys: ['user_id', 'day'] })]],
    ['in another store', [view([PAIR[0]]), view([PAIR[1]], { online: 'other' })]],
    ['in Postgres, which names them in full', [view(PAIR, { online: 'postgres' })]],
    ['of no online store', [view(PAIR, { online: '' })]],
    ['of other hashes', [view(['a', 'b']), view(['a', 'b'], { location: 'w' })]],
  ])('are none of those %s', (_, views) => {
    expect(() => {
      refusal(views);
    }).not.toThrow();
  });
});
