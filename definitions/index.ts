/** What users declare: `import { featureSet, ... } from 'granary'`. */
export { t, type Row, type Schema, type Value, type ValueType } from './types.js';
export { Timestamp, type TimestampLike } from './timestamp.js';
export { GranaryError, ERROR_CODES, type ErrorCode } from './errors.js';
export { interval, type Interval } from './interval.js';
export { sql, intervalStart, intervalEnd, type SqlTemplate } from './sql.js';
export { fromEnv, fromFile, type Secret } from './secret.js';
export {
  fileStore,
  onlineStore,
  localFiles,
  redisStore,
  postgresDatabase,
  postgresStore,
  type Binding,
  type FileStore,
  type EntityKeyVersion,
  type OnlineLayout,
  type OnlineStore,
} from './provider.js';
export { postgresProvider, type PostgresAddress, type PostgresProvider } from './postgres.js';
export { s3, type S3Options } from './s3.js';
export { entity, type Entity } from './entity.js';
export type { Source } from './source.js';
export type { BuildContext, BuildFunction, BuildInput, Checkpoint } from './built-source.js';
export { featureSet } from './feature-set.js';
export { feature, featureView, type FeatureView } from './feature-view.js';
export type { Selection } from './selection.js';
export { splitByEntity, splitByTime, type Split, type SplitPart } from './split.js';
export { label, type Label } from './label.js';
export { trainingSet, type TrainingSet } from './training-set.js';
export type { TrainingRow } from './training-row.js';
export {
  pipeline,
  type Overlap,
  type Pipeline,
  type PipelineOptions,
  type ScheduleOptions,
} from './pipeline.js';
export type { Deadline } from './deadline.js';
export type { BackfillPlan, BackfillRequest } from './backfill.js';
export { defineProject, type Environment, type Project } from './project.js';
export {
  notNull,
  maxNullRate,
  range,
  unique,
  rowCount,
  rowCountChange,
  noSchemaDrift,
  freshness,
  warn,
  type RuleResult,
  type ValidationRule,
} from './validation.js';
export type { ColumnProfile, JoinProfile, Profile, ProfileValue } from './profile.js';
export { compile, type CompiledProject } from './compile.js';
export { plan, type Plan, type PlanStep } from './plan.js';
