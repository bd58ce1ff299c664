import { built, type BuildFunction, type FeatureSetOptions } from './built-source.js';
import { GranaryError } from './errors.js';
import { fileStore } from './provider.js';
import type { AnySource, Source } from './source.js';
import type { Schema } from './types.js';

/** Declares the rows that a `build` step makes: immutable versions plus `latest`. */
export function featureSet<
  const S extends Schema,
  const I extends Record<string, AnySource> = Record<string, never>,
>(name: string, options: FeatureSetOptions<S, I>): Source<S> {
  const { store, build, codeVersion, metadata, inputs, ...rest } = options;
  if (options.timestampField === undefined || !Object.hasOwn(options.schema, options.timestampField))
    throw new GranaryError(
      'InvalidDefinition',
      `The feature set ${name} has no event timestamp: "${String(options.timestampField)}" is no column of its schema. Declare event_timestamp: t.timestamp and timestampField: 'event_timestamp'.`,
    );
  const handler = typeof build === 'function' ? build : undefined;
  if (handler && Object.keys(inputs ?? {}).length === 0)
    throw new GranaryError(
      'InvalidDefinition',
      `The feature set ${name} is built by TypeScript: list what it reads in inputs: { ... }.`,
    );
  return built('featureSet', name, typeof store === 'string' ? fileStore(store) : store, {
    ...rest,
    inputs: inputs ?? {},
    query: typeof build === 'function' ? undefined : build,
    // The context's inputs are checked where the build is declared; the registry keeps no types.
    handler: handler as unknown as BuildFunction | undefined,
    codeVersion,
    metadata: metadata ?? {},
  });
}
