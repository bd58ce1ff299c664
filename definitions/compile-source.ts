import type { BuildFunction, BuiltSource } from './built-source.js';
import { inDatabase, type BuiltSourceSpec, type Resource, type SourceSpec } from './contract.js';
import { GranaryError } from './errors.js';
import type { AnySource, FileSource, TableSource } from './source.js';
import { parseSql, renderSql, type SqlReference } from './sql.js';

/** Compiles a source by object or by name; `where` is for messages. */
export type SourceResolver = (where: string, reference: AnySource | string) => Resource<'source'>;

/** A source as canonical JSON, and the code of a TypeScript build. */
export interface CompiledSource {
  readonly spec: SourceSpec;
  readonly handler: BuildFunction | undefined;
}

/** @throws GranaryError `InvalidDefinition`: an unknown reference, no input, an input that the engine cannot read. */
export function sourceSpec(
  definition: FileSource | TableSource | BuiltSource,
  resolve: SourceResolver,
): CompiledSource {
  const common = {
    store: definition.store.name,
    schema: definition.schema,
    columns: Object.keys(definition.schema),
    ...(definition.timestampField === undefined ? {} : { timestampField: definition.timestampField }),
    ...(definition.createdTimestampField === undefined
      ? {}
      : { createdTimestampField: definition.createdTimestampField }),
  };
  const raw = (spec: SourceSpec): CompiledSource => ({ spec, handler: undefined });
  if (definition.type === 'file')
    return raw({ ...common, type: 'file', format: definition.format, path: definition.path });
  if (definition.type === 'table')
    return raw({
      ...common,
      type: 'table',
      table: definition.table,
      ...(definition.dbSchema === 'public' ? {} : { dbSchema: definition.dbSchema }),
    });
  const { inputs, build } = buildOf(definition, resolve);
  const spec: SourceSpec = {
    ...common,
    type: definition.type,
    ...(definition.store.type === 'postgres' ? { engine: 'postgres' } : {}),
    inputs,
    build,
    keys: definition.keys,
    ...(definition.lookback === undefined ? {} : { lookback: definition.lookback }),
    validate: definition.validate,
    deterministic: definition.deterministic,
    metadata: definition.metadata,
  };
  return { spec, handler: definition.handler };
}

function buildOf(
  definition: BuiltSource,
  resolve: SourceResolver,
): Pick<BuiltSourceSpec, 'inputs' | 'build'> {
  const where = `${definition.type === 'featureSet' ? 'feature set' : 'transformation'} ${definition.name}`;
  const inputs: Record<string, string> = {};
  for (const [alias, reference] of Object.entries(definition.inputs))
    inputs[alias] = readable(definition, resolve(`${where}, input ${alias}`, reference)).id;
  const { query, handler, codeVersion } = definition;
  if (query === undefined) {
    if (!handler) throw new GranaryError('InvalidDefinition', `The ${where} has no build.`);
    return {
      inputs,
      build: { handler: definition.name, ...(codeVersion === undefined ? {} : { codeVersion }) },
    };
  }
  const used: Record<string, string> = {};
  const text = renderSql(typeof query === 'string' ? parseSql(query) : query, (reference) => {
    if (reference.kind === 'intervalBound') return `{{interval.${reference.bound}}}`;
    const source = readable(definition, referenced(definition, where, reference, resolve));
    const canonical = `${source.name}.${source.variant}`;
    used[canonical] = source.id;
    return `{{${canonical}}}`;
  });
  if (Object.keys(used).length === 0 && Object.keys(inputs).length === 0)
    throw new GranaryError(
      'InvalidDefinition',
      `The SQL of the ${where} reads no source. Interpolate one: FROM \${flights}.`,
    );
  return { inputs: used, build: { sql: text.trim() } };
}

/** The source that SQL refers to. A plain text lists what it reads among its inputs. */
function referenced(
  { inputs, query }: BuiltSource,
  where: string,
  reference: Exclude<SqlReference, { readonly kind: 'intervalBound' }>,
  resolve: SourceResolver,
): Resource<'source'> {
  if (reference.kind !== 'name') return resolve(where, reference);
  const [alias = '', asked] = reference.name.split('.');
  if (!Object.hasOwn(inputs, alias) && typeof query === 'string')
    throw new GranaryError(
      'InvalidDefinition',
      `The ${where} refers to {{${reference.name}}}, which is not among its inputs. List it: inputs: { ${alias} }.`,
    );
  const source = resolve(where, inputs[alias] ?? reference.name);
  if (asked !== undefined && asked !== source.variant)
    throw new GranaryError(
      'InvalidDefinition',
      `The ${where} refers to {{${reference.name}}}, but its input is ${source.name} (${source.variant}). List the variant that is meant among the inputs.`,
    );
  return source;
}

/** SQL that runs in a database reads what lies in it, and nothing else. */
function readable(definition: BuiltSource, source: Resource<'source'>): Resource<'source'> {
  const { name, store } = definition;
  if (store.type !== 'postgres' || (inDatabase(source.spec) && source.spec.store === store.name))
    return source;
  throw new GranaryError(
    'InvalidDefinition',
    `The transformation ${name} runs in the database "${store.name}", but its input ${source.name} lies in "${source.spec.store}". Declare it over a file store, fileStore('...').sql('${name}', ...), where DuckDB reads both.`,
  );
}
