import { GranaryError } from '../definitions/errors.js';

/** What `POST /get-online-features` takes. */
export interface FeaturesRequest {
  /** Column -> one value an entity. */
  readonly entities: ReadonlyMap<string, readonly unknown[]>;
  /** How many entities: the length of each column. */
  readonly rows: number;
  readonly features: readonly string[];
  readonly service: string | undefined;
  readonly fullNames: boolean;
  readonly withViews: boolean;
}

const EXAMPLE = '{"features": ["user_features:f_total"], "entities": {"user_id": [1001, 1002]}}';

/** A wrong shape: 422, as Feast's server answers it. */
export const misshapen = (message: string): GranaryError =>
  new GranaryError('InvalidInput', message, { details: { status: 422 } });

/**
 * Checks a body. Fields that it does not know are ignored, as by Feast.
 * @throws GranaryError `InvalidInput`, with the field and an example; `details.status` is the HTTP status.
 */
export function readRequest(body: unknown, maxEntities: number): FeaturesRequest {
  const given = objectOf(body, EXAMPLE);
  const { entities: columns, feature_service: service, features = [] } = given;
  if (!isObject(columns))
    throw misshapen(`"entities" must be an object of lists, one a join key. Write ${EXAMPLE}.`);
  if (service !== undefined && service !== null && typeof service !== 'string')
    throw misshapen('"feature_service" must be a text: the name of a training set.');
  if (!isTexts(features)) throw misshapen(`"features" must be a list of texts. Write ${EXAMPLE}.`);
  const entities = new Map<string, readonly unknown[]>();
  let rows = 0;
  for (const [column, values] of Object.entries(columns)) {
    if (!Array.isArray(values))
      throw misshapen(`"entities": the column "${clip(column)}" must be a list. Write ${EXAMPLE}.`);
    const [first] = entities;
    if (first && values.length !== rows)
      throw new GranaryError(
        'InvalidInput',
        `"entities": the column "${clip(column)}" has ${values.length} values, but "${clip(first[0])}" has ${rows}. Give as many of each.`,
      );
    rows = values.length;
    entities.set(column, values);
  }
  if (entities.size === 0)
    throw new GranaryError('InvalidInput', `"entities" has no column. Write ${EXAMPLE}.`);
  if (rows > maxEntities)
    throw new GranaryError(
      'InvalidInput',
      `A request may ask for ${maxEntities} entities, and this one asks for ${rows}. Ask in parts, raise --max-entities, or read the whole view: GET /feature-views/<view>/rows.`,
      { details: { status: 413 } },
    );
  // Feast reads an empty name as none.
  const named = typeof service === 'string' && service !== '' ? service : undefined;
  if (named === undefined && features.length === 0)
    throw new GranaryError(
      'InvalidInput',
      `No feature is asked for. Give "features" or "feature_service", such as ${EXAMPLE}.`,
    );
  return {
    entities,
    rows,
    features,
    service: named,
    fullNames: flag(given, 'full_feature_names'),
    withViews: flag(given, 'include_feature_view_version_metadata'),
  };
}

/** The body as an object. @throws GranaryError `InvalidInput`. */
export function objectOf(body: unknown, example: string): Readonly<Record<string, unknown>> {
  if (!isObject(body)) throw misshapen(`The body must be a JSON object. Write ${example}.`);
  return body;
}

export function flag(given: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = given[name] ?? false;
  if (typeof value !== 'boolean') throw misshapen(`"${name}" must be true or false.`);
  return value;
}

export const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A text of the caller's within a message. */
export const clip = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text);
