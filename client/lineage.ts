import type { DatasetLineage, DatasetNode } from '../registry/catalog-lineage.js';

/** What a version comes from, or what comes from it. */
export interface VersionNode {
  /** `source/totals.1a2b3c4d@v_20260131T000312`, `view/totals.1a2b3c4d`, `model/churn`, or a raw source's id. */
  readonly id: string;
  /** Of a version. */
  readonly version?: DatasetNode;
  /** Of a raw source: the files that were read, by their contents. */
  readonly files?: readonly { readonly path: string; readonly sha256: string }[];
  /** Of a raw table: its name, and when it was read (ISO-8601); its rows are not versioned. */
  readonly table?: string;
  readonly readAt?: string;
  readonly next: readonly VersionNode[];
  /** It stands elsewhere in the tree with what follows it. */
  readonly repeated?: true;
}

/** The lineage of one version, both ways. */
export interface VersionLineage {
  readonly id: string;
  readonly version: DatasetNode;
  readonly madeFrom: readonly VersionNode[];
  readonly usedBy: readonly VersionNode[];
}

/** Two trees from what the registry knows of a version's lineage. Pure. */
export function versionLineage(lineage: DatasetLineage, dataset: string): VersionLineage {
  const { datasets, inputs, outputs, online, models } = lineage;
  const idOf = (id: string): string => {
    const found = datasets.get(id);
    return found ? `${found.target}@${found.version}` : id;
  };
  const walk = (next: (id: string, told: Set<string>) => readonly VersionNode[]) => {
    const told = new Set<string>();
    return next(dataset, told);
  };
  const node = (id: string, told: Set<string>, follow: typeof up): VersionNode => {
    const version = datasets.get(id);
    const known = { id: idOf(id), ...(version === undefined ? {} : { version }) };
    if (told.has(id)) return { ...known, next: [], repeated: true };
    told.add(id);
    return { ...known, next: follow(id, told) };
  };
  const up = (id: string, told: Set<string>): VersionNode[] =>
    (inputs.get(id) ?? []).map((input) =>
      input.type === 'dataset'
        ? node(input.dataset, told, up)
        : {
            id: input.source,
            ...(input.type === 'files'
              ? { files: input.files }
              : { table: input.table, readAt: input.readAt }),
            next: [],
          },
    );
  const down = (id: string, told: Set<string>): VersionNode[] => [
    ...(outputs.get(id) ?? []).map((output) => node(output, told, down)),
    ...[...(online.get(id) ?? []), ...(models.get(id) ?? [])].map((user) => ({ id: user, next: [] })),
  ];
  return {
    id: idOf(dataset),
    version: datasets.get(dataset) as DatasetNode,
    madeFrom: walk(up),
    usedBy: walk(down),
  };
}
