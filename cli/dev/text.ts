import type { ServicesEnvironment } from '#services';

/** Where everything is, for people. */
export function addressLines(env: ServicesEnvironment, features: string): string[] {
  const rows: [string, string | undefined][] = [
    ['Temporal UI', env.TEMPORAL_UI_ADDRESS],
    ['Temporal', env.TEMPORAL_ADDRESS],
    ['Feature server', features],
    ['Postgres', env.DATABASE_URL],
    ['Redis', env.REDIS_URL],
  ];
  return ['', ...rows.flatMap(([name, address]) => (address ? [`  ${name.padEnd(15)} ${address}`] : []))];
}

/** What to do next. */
export function nextLines(project: string): string[] {
  return [
    '',
    `  Save ${project}, and the worker takes the change up.`,
    '  In another terminal, in this folder, every command finds these servers:',
    '    npx granary list                 what is registered',
    '    npx granary materialize          loads what the online store lacks',
    '    npx granary plan                 which intervals are not made yet',
    '  Ctrl-C stops everything. The data stay in .granary/dev.',
    '',
  ];
}
