import type { BuiltSource } from './built-source.js';
import type { FeatureView } from './feature-view.js';
import type { Label } from './label.js';
import { isLate } from './late.js';
import type { Pipeline } from './pipeline.js';
import type { Definition } from './project.js';
import type { AnySource, FileSource, TableSource, Versioned } from './source.js';
import type { TrainingSet } from './training-set.js';

/** Everything that is declared but pipelines, which are no resources. */
export type Compilable = Exclude<Definition, Pipeline>;

/** Two definitions of one key are one definition or an error. */
export const nameKey = (definition: Compilable): string => {
  const variant = (definition as Versioned).variant;
  return `${definition.kind}/${definition.name}${variant === undefined ? '' : `.${variant}`}`;
};

/** What a definition refers to directly. */
export function references(definition: Compilable): readonly (Compilable | string)[] {
  if (isLate(definition)) return definition.refers;
  switch (definition.kind) {
    case 'provider':
    case 'entity':
      return [];
    case 'source': {
      const source = definition as FileSource | TableSource | BuiltSource;
      if (source.type === 'file' || source.type === 'table') return [source.store];
      const query = source.query;
      const used =
        typeof query === 'object'
          ? query.parts.filter((p): p is AnySource => typeof p === 'object' && p.kind === 'source')
          : [];
      return [source.store, ...Object.values(source.inputs), ...used];
    }
    case 'view': {
      const view = definition as FeatureView;
      return [view.source, ...view.entities, ...(view.online ? [view.online] : [])];
    }
    case 'label': {
      const label = definition as Label;
      return [label.source, ...label.roles.map((r) => r.entity)];
    }
    case 'trainingSet': {
      const set = definition as TrainingSet;
      return [set.label, ...set.features.map((s) => s.view), ...(set.store ? [set.store] : [])];
    }
  }
}
