import type { Selectable, Transaction } from 'kysely';
import type { Profile } from '../definitions/profile.js';
import type { RuleResult } from '../definitions/validation.js';
import type { Database } from './database.js';
import type { Tables } from './tables.js';

/** What is known of a version's rows beside the rows. */
export interface VersionFacts {
  readonly profile: Profile;
  readonly validation: readonly RuleResult[];
  /** By the ids of raw sources: the columns that their files or tables had, with the engine's words for the types. Only where a rule asks. */
  readonly inputColumns: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Rows that an attempt staged: no other has the name. */
export interface StagedName {
  readonly run: string;
  readonly step: string;
  /** A path in a file store, or a table. */
  readonly staged: string;
}

/** Facts are noted for what an attempt staged, and go with it into the commit: what another attempt found of other rows is never taken for it. */
export class VersionFactsNotes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Notes what was found; again, it replaces the note. */
  async note({ run, step, staged }: StagedName, facts: VersionFacts): Promise<void> {
    const row = asTexts(facts);
    await this.#database.db
      .insertInto('step_facts')
      .values({ run_id: run, step_id: step, staged, ...row })
      .onConflict((c) => c.columns(['run_id', 'step_id', 'staged']).doUpdateSet(row))
      .execute();
  }

  /** Undefined for what a worker of an earlier release staged. */
  async noted({ run, step, staged }: StagedName): Promise<VersionFacts | undefined> {
    const row = await this.#database.db
      .selectFrom('step_facts')
      .select(['profile', 'validation', 'input_columns'])
      .where('run_id', '=', run)
      .where('step_id', '=', step)
      .where('staged', '=', staged)
      .executeTakeFirst();
    return row && toFacts(row);
  }

  /** The facts of a committed version. */
  async of(dataset: string): Promise<VersionFacts | undefined> {
    const row = await this.#database.db
      .selectFrom('dataset_facts')
      .select(['profile', 'validation', 'input_columns'])
      .where('dataset_id', '=', dataset)
      .executeTakeFirst();
    return row && toFacts(row);
  }
}

/** Makes facts a version's, in the transaction of its commit; the run's notes of that step go. */
export async function keepFacts(
  tx: Transaction<Tables>,
  dataset: string,
  facts: VersionFacts,
  { run, step }: Omit<StagedName, 'staged'>,
): Promise<void> {
  await tx
    .insertInto('dataset_facts')
    .values({ dataset_id: dataset, ...asTexts(facts) })
    .execute();
  await tx.deleteFrom('step_facts').where('run_id', '=', run).where('step_id', '=', step).execute();
}

const asTexts = ({ profile, validation, inputColumns }: VersionFacts) => ({
  profile: JSON.stringify(profile),
  validation: JSON.stringify(validation),
  input_columns: JSON.stringify(inputColumns),
});

const toFacts = (
  row: Pick<Selectable<Tables['dataset_facts']>, 'profile' | 'validation' | 'input_columns'>,
): VersionFacts => ({ profile: row.profile, validation: row.validation, inputColumns: row.input_columns });
