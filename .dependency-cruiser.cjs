// Which room may import which. Type-only imports count (tsPreCompilationDeps), and can be told apart.

const rooms = {
  definitions: [],
  feast: ['definitions'],
  providers: ['definitions', 'feast'],
  registry: ['definitions'],
  activities: ['definitions', 'feast', 'providers', 'registry'],
  worker: ['definitions', 'feast', 'providers', 'registry', 'activities'],
  client: ['definitions', 'feast', 'providers', 'registry'],
  server: ['definitions', 'feast', 'providers', 'registry', 'client'],
  testing: ['definitions', 'providers', 'activities'],
  workflows: ['definitions'],
};

/** Beyond the table: only as `import type`, which leaves nothing in the compiled file. */
const types = {
  workflows: ['activities'],
  client: ['workflows'],
};

const everyRoom = [...Object.keys(rooms), 'cli'];
const inside = (names) => `^(${names.join('|')})/`;

const directions = Object.entries(rooms).map(([room, allowed]) => ({
  name: `${room}-imports`,
  comment: `${room}/ may import ${allowed.length > 0 ? allowed.join(', ') : 'no other room'}.`,
  severity: 'error',
  from: { path: inside([room]) },
  to: {
    path: inside(everyRoom.filter((other) => ![room, ...allowed, ...(types[room] ?? [])].includes(other))),
  },
}));

const typesOnly = Object.entries(types).map(([room, allowed]) => ({
  name: `${room}-imports-types`,
  comment: `Of ${allowed.join(', ')} ${room}/ may import types alone.`,
  severity: 'error',
  from: { path: inside([room]) },
  to: { path: inside(allowed), dependencyTypesNot: ['type-only'] },
}));

module.exports = {
  forbidden: [
    ...directions,
    ...typesOnly,
    {
      name: 'no-cycles',
      comment:
        'Files that need each other are one file, or lack a third. Types may: they are gone at run time.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'nothing-from-outside-the-rooms',
      comment: 'Examples, tests and benches import the rooms, never the other way round.',
      severity: 'error',
      from: { path: inside(everyRoom) },
      to: { path: inside(['examples', 'test', 'bench', 'scripts', 'lib']) },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere. lib/ is compiled later, so a fresh clone has none yet.',
      severity: 'error',
      from: { path: inside(everyRoom) },
      to: { couldNotResolve: true, pathNot: '(^|/)lib/' },
    },
    {
      name: 'declared',
      comment: 'A room imports only what package.json gives to users.',
      severity: 'error',
      from: { path: inside(everyRoom) },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm-peer', 'npm'],
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.test.json' },
    doNotFollow: { path: ['node_modules', '^lib/'] },
    exclude: { path: ['^lib/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default', 'node', 'require'],
    },
  },
};
