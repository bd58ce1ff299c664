import { Applies } from './applies.js';
import { Audit } from './audit.js';
import { Backfills } from './backfills.js';
import { Catalog } from './catalog.js';
import { lineageOf, type DatasetLineage } from './catalog-lineage.js';
import { Removals } from './catalog-removal.js';
import { openDatabase, type RegistryAddress } from './database.js';
import { Datasets } from './datasets.js';
import { Events } from './events.js';
import { Ledger } from './ledger.js';
import { Ownership } from './ownership.js';
import { Promotions } from './promotions.js';
import { Refreshes } from './refreshes.js';
import { Resources } from './resources.js';
import { RunHistory } from './run-history.js';
import { Runs } from './runs.js';
import { StepLogs } from './step-logs.js';
import { VersionFactsNotes } from './version-facts.js';

/** What has been applied and what has run, for one project and environment, in one Postgres schema. */
export interface Registry {
  readonly resources: Resources;
  readonly runs: Runs;
  readonly history: RunHistory;
  readonly logs: StepLogs;
  readonly ownership: Ownership;
  readonly datasets: Datasets;
  readonly facts: VersionFactsNotes;
  readonly ledger: Ledger;
  readonly audit: Audit;
  readonly applies: Applies;
  readonly catalog: Catalog;
  readonly removals: Removals;
  readonly promotions: Promotions;
  readonly refreshes: Refreshes;
  readonly events: Events;
  readonly backfills: Backfills;
  /** The lineage of a version by its dataset's id, both ways. */
  lineage(dataset: string): Promise<DatasetLineage>;
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
    history: new RunHistory(database),
    logs: new StepLogs(database),
    ownership: new Ownership(database),
    datasets: new Datasets(database),
    facts: new VersionFactsNotes(database),
    ledger: new Ledger(database),
    audit: new Audit(database),
    applies: new Applies(database),
    catalog: new Catalog(database),
    removals: new Removals(database),
    promotions: new Promotions(database),
    refreshes: new Refreshes(database),
    events: new Events(database),
    backfills: new Backfills(database),
    lineage: (dataset) => lineageOf(database, dataset),
    migrate: () => database.migrate(),
    close: () => database.close(),
  };
}
