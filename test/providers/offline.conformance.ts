import { afterAll, beforeAll, describe } from 'vitest';
import type { OfflineProvider, OfflineSession } from '../../providers/offline/provider.js';
import { OfflineFixtures, openSession, type OfflineSuite } from '../support/offline-fixtures.js';
import { determinismConformance } from './offline-determinism.conformance.js';
import { lifecycleConformance } from './offline-lifecycle.conformance.js';
import { queryConformance } from './offline-query.conformance.js';
import { readConformance } from './offline-read.conformance.js';
import { sourceConformance } from './offline-source.conformance.js';
import { stageConformance } from './offline-stage.conformance.js';
import { validateConformance } from './offline-validate.conformance.js';
import { writerConformance } from './offline-writer.conformance.js';

/** What every offline provider must do, as data; the point-in-time join has a suite of its own. */
export function offlineConformance(name: string, provider: OfflineProvider): void {
  describe(`the offline provider ${name}`, () => {
    const fixtures = new OfflineFixtures();
    let session: OfflineSession;
    beforeAll(async () => {
      session = await openSession(provider, fixtures);
    });
    afterAll(async () => {
      await session.close();
      fixtures.remove();
    });
    const suite: OfflineSuite = {
      fixtures,
      session: () => session,
      open: (options) => openSession(provider, fixtures, options),
    };
    sourceConformance(suite);
    queryConformance(suite);
    determinismConformance(suite);
    writerConformance(suite);
    stageConformance(suite);
    validateConformance(suite);
    readConformance(suite);
    lifecycleConformance(suite);
  });
}
