/** Starting runs and reading what they made: `import { GranaryClient } from 'granary/client'`. */
export { GranaryClient, type GranaryClientOptions, type RunHandle } from './client.js';
export type { EntityKeys, OnlineFeatures } from './features.js';
export type { TrainingRows } from './training-rows.js';
export type { FeatureSetVersion } from './versions.js';
export type { PipelineInput, RunResult } from '../workflows/index.js';
export type { ApplyHandle, ApplyState } from './apply.js';
export type { ProviderHealth } from './provider-health.js';
export type { ApplyItem } from '../registry/applies.js';
export type { ApplyPlan } from '../definitions/apply-plan.js';
