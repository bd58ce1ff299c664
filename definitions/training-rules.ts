import { GranaryError } from './errors.js';
import { parseSql, renderSql, unquotedSql, type SqlReference, type SqlTemplate } from './sql.js';
import type { TrainingSet } from './training-set.js';

/**
 * A row filter's text: a condition over the columns of the label's source, which refers to nothing else.
 * @throws GranaryError `InvalidDefinition`.
 */
export function conditionText(name: string, where: SqlTemplate | string): string {
  const refuse = (reference: SqlReference): never => {
    throw new GranaryError(
      'InvalidDefinition',
      `The training set ${name}: its "where" refers to ${reference.kind === 'intervalBound' ? `the interval's ${reference.bound}` : `the source ${reference.name}`}. It is a condition over the columns of the label's source alone, such as "amount > 0".`,
    );
  };
  const text = (typeof where === 'string' ? where : renderSql(where, refuse)).trim();
  // What stands in quotes or in a comment is no reference, and ends no condition.
  const bare = unquotedSql(text);
  renderSql(parseSql(bare), refuse);
  if (text === '' || bare.includes(';'))
    throw new GranaryError(
      'InvalidDefinition',
      `The training set ${name}: its "where" is ${text === '' ? 'empty' : `"${text}"`}. Give one SQL condition, such as "amount > 0", without a semicolon.`,
    );
  return text;
}

/** What `knownAt` and `requireTimestamps` ask of the sources. @throws GranaryError `InvalidDefinition`, naming the view and its source. */
export function checkTimes({ name, label, features, knownAt, requireTimestamps }: TrainingSet): void {
  const refuse = (option: string, what: string): never => {
    throw new GranaryError('InvalidDefinition', `The training set ${name} has ${option}, but ${what}`);
  };
  if (requireTimestamps && label.timestampField === undefined)
    refuse(
      'requireTimestamps',
      `its label ${label.name} has no timestampField, so it takes the newest features, which may contain the label's future. Give the label its time.`,
    );
  if (knownAt && label.timestampField === undefined)
    refuse(
      'knownAt',
      `its label ${label.name} has no timestampField: nothing can be known at no time. Give the label its time.`,
    );
  for (const { view } of features) {
    const { source } = view;
    if (requireTimestamps && source.timestampField === undefined)
      refuse(
        'requireTimestamps',
        `the view ${view.name} is constant: its source ${source.name} has no timestampField, so its values may contain the label's future. Give the source its event time, or leave the view out.`,
      );
    if (knownAt && source.timestampField !== undefined && source.createdTimestampField === undefined)
      refuse(
        'knownAt',
        `the source ${source.name} of the view ${view.name} has no createdTimestampField, so nobody can tell when a row was known. Give it one.`,
      );
  }
}
