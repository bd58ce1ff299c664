import { Applies } from './applies.js';
import { Audit } from './audit.js';
import { openDatabase, type RegistryAddress } from './database.js';
import { Datasets } from './datasets.js';
import { Ledger } from './ledger.js';
import { Ownership } from './ownership.js';
import { Resources } from './resources.js';
import { Runs } from './runs.js';

/** What has been applied and what has run, for one project and environment, in one Postgres schema. */
export interface Registry {
  readonly resources: Resources;
  readonly runs: Runs;
  readonly ownership: Ownership;
  readonly datasets: Datasets;
  readonly ledger: Ledger;
  readonly audit: Audit;
  readonly applies: Applies;
  /** Creates or upgrades the tables; safe from many processes at once. */
  migrate(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the registry; connects at first use. */
export function openRegistry(options: RegistryAddress): Registry {
  const database = openDatabase(options);
  return {
    resources: new Resources(database),
    runs: new Runs(database),
    ownership: new Ownership(database),
    datasets: new Datasets(database),
    ledger: new Ledger(database),
    audit: new Audit(database),
    applies: new Applies(database),
    migrate: () => database.migrate(),
    close: () => database.close(),
  };
}
