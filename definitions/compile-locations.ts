import { isKind, isRaw, type Resource } from './contract.js';
import { GranaryError } from './errors.js';
import type { Project } from './project.js';
import { s3Location } from './s3.js';

/** Two environments that write files into one place would overwrite each other; everything else bears the environment's name. */
export function checkLocations(project: Project, resources: Iterable<Resource>): void {
  const seen = new Map<string, string>();
  const written = new Set<string>();
  for (const resource of resources) {
    if (isKind(resource, 'trainingSet')) written.add(resource.spec.store);
    if (isKind(resource, 'source') && !isRaw(resource.spec)) written.add(resource.spec.store);
  }
  for (const [environment, { bind }] of Object.entries(project.environments))
    for (const store of written) {
      const binding = Object.hasOwn(bind, store) ? bind[store] : undefined;
      if (binding?.type !== 'localFiles' && binding?.type !== 's3') continue;
      const place =
        binding.type === 's3' ? s3Location(binding) : `the folder ${binding.root.replace(/^\.\/|\/+$/g, '')}`;
      const other = seen.get(place);
      if (other !== undefined && other !== environment)
        throw new GranaryError(
          'InvalidDefinition',
          `The environments ${other} and ${environment} both write to ${place}. Give each a ${binding.type === 's3' ? 'prefix' : 'folder'} of its own.`,
        );
      seen.set(place, environment);
    }
}
