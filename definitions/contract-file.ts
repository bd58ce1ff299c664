import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { BuildFunction } from './built-source.js';
import { canonicalJson } from './canonical.js';
import type { CompiledProject } from './compile.js';
import type { PipelineSpec, Resource } from './contract.js';
import { GranaryError } from './errors.js';
import { fingerprintOf } from './fingerprint-of.js';
import type { Environment, Project } from './project.js';
import { refuseLiteralPassword, type Secret } from './secret.js';
import { upstreamOf } from './upstream.js';

/**
 * A project as a file: what `granary compile` writes and `granary apply` takes in place of TypeScript. Secrets are references; the code
 * of TypeScript builds is not in it, only its hash.
 */
export interface Contract {
  readonly format: 1;
  readonly project: string;
  /** Upstream first. */
  readonly resources: readonly Resource[];
  readonly pipelines: readonly PipelineSpec[];
  /** Id of a feature set that TypeScript builds -> SHA-256 of its code, lowercase hex. */
  readonly handlers: Readonly<Record<string, string>>;
  readonly environments: Readonly<Record<string, Environment>>;
}

/** The SHA-256 of a TypeScript build's code, lowercase hex. */
export const codeHash = (handler: BuildFunction): string =>
  bytesToHex(sha256(utf8ToBytes(handler.toString())));

/** The contract of a compiled project. */
export function contractOf(
  compiled: CompiledProject,
  environments: Readonly<Record<string, Environment>>,
): Contract {
  const contract: Contract = {
    format: 1,
    project: compiled.name,
    resources: [...compiled.resources.values()],
    pipelines: [...compiled.pipelines.values()],
    handlers: Object.fromEntries([...compiled.handlers].map(([id, handler]) => [id, codeHash(handler)])),
    environments,
  };
  // Through JSON, so that a contract is the same whether it was compiled here or read from a file.
  return JSON.parse(canonicalJson(contract)) as Contract;
}

/** The text of a contract: canonical JSON, one resource, pipeline, handler and environment a line. */
export function contractText({ format, project, ...parts }: Contract): string {
  const list = (items: readonly unknown[]): string =>
    items.length === 0 ? '[]' : `[\n${items.map((item) => `    ${canonicalJson(item)}`).join(',\n')}\n  ]`;
  const members = (items: Readonly<Record<string, unknown>>): string => {
    const lines = Object.entries(items)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `    ${JSON.stringify(key)}: ${canonicalJson(item)}`);
    return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n  }`;
  };
  return `{
  "environments": ${members(parts.environments)},
  "format": ${format},
  "handlers": ${members(parts.handlers)},
  "pipelines": ${list(parts.pipelines)},
  "project": ${JSON.stringify(project)},
  "resources": ${list(parts.resources)}
}
`;
}

/**
 * Reads a contract and checks that it is whole: of this format, every reference answered, no resource edited by hand, no literal password.
 * @throws GranaryError `InvalidDefinition` that names the file and the place.
 */
export function parseContract(text: string, file: string): Contract {
  const wrong = (what: string): GranaryError =>
    new GranaryError('InvalidDefinition', `${file} ${what} Write it anew: granary compile -o ${file}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong('is not JSON.');
  }
  if (!isContract(value)) throw wrong('is not a contract that this version of Granary reads (format 1).');
  const known = new Set<string>();
  for (const resource of value.resources) {
    if (resource.fingerprint !== fingerprintOf(resource))
      throw wrong(`was edited: the fingerprint of ${resource.id} is not that of its definition.`);
    const absent = upstreamOf(resource).find((id) => !known.has(id));
    if (absent !== undefined) throw wrong(`lacks ${absent}, which ${resource.id} refers to.`);
    known.add(resource.id);
  }
  for (const { name, targets } of value.pipelines) {
    const absent = targets.find((id) => !known.has(id));
    if (absent !== undefined) throw wrong(`lacks ${absent}, a target of the pipeline ${name}.`);
  }
  for (const [name, { bind, registry }] of Object.entries(value.environments)) {
    if (registry) refuseLiteralPassword(`${file}, environment ${name}, registry`, registry.url);
    for (const [provider, binding] of Object.entries(bind))
      for (const setting of Object.values(binding) as (string | Secret)[])
        if (typeof setting === 'string')
          refuseLiteralPassword(`${file}, environment ${name}, ${provider}`, setting);
  }
  return value;
}

/** A contract as a compiled project, without the code of TypeScript builds. */
export const compiledContract = (contract: Contract): CompiledProject => ({
  name: contract.project,
  resources: new Map(contract.resources.map((resource) => [resource.id, resource])),
  pipelines: new Map(contract.pipelines.map((pipeline) => [pipeline.name, pipeline])),
  handlers: new Map(),
});

/** The code of a TypeScript build: of the resource itself, else of the only one that bears its name. */
export function handlerOf(project: CompiledProject, resource: Resource): BuildFunction | undefined {
  const own = project.handlers.get(resource.id);
  if (own) return own;
  const named = [...project.handlers].filter(([id]) => project.resources.get(id)?.name === resource.name);
  return named.length === 1 ? named[0]?.[1] : undefined;
}

/** Whether a file's project was compiled already. */
export const isContract = (value: unknown): value is Contract => {
  if (typeof value !== 'object' || value === null) return false;
  const { format, project, resources, pipelines, handlers, environments } = value as Partial<Contract>;
  return (
    format === 1 &&
    typeof project === 'string' &&
    Array.isArray(resources) &&
    resources.every((r: unknown) => isRecord(r) && typeof r['id'] === 'string' && isRecord(r['spec'])) &&
    Array.isArray(pipelines) &&
    pipelines.every(
      (p: unknown) => isRecord(p) && typeof p['name'] === 'string' && Array.isArray(p['targets']),
    ) &&
    isRecord(handlers) &&
    isRecord(environments) &&
    Object.values(environments).every((e: unknown) => isRecord(e) && isRecord(e['bind']))
  );
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The name and the environments of a project, compiled or not. */
export const headOf = (project: Project | Contract): Pick<Project, 'name' | 'environments'> =>
  isContract(project)
    ? { name: project.project, environments: project.environments }
    : { name: project.name, environments: project.environments };
