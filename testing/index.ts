/** What users test their definitions with: `import { runOnFixtures } from 'granary/testing'`. */
export { runOnFixtures, type FixtureRow, type FixtureRun } from './run-source.js';
