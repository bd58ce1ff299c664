import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A file of a new project. */
export interface ProjectFile {
  readonly path: string;
  readonly content: string;
  /** What it is, in a few words. */
  readonly about: string;
}

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** npm leaves a .gitignore out of packages, so that it has another name there. */
const TEMPLATE: readonly (readonly [path: string, about: string, from?: string])[] = [
  ['granary.ts', 'the definitions: start here'],
  ['make-orders.mjs', 'writes data/raw/orders.csv'],
  ['tests/user_spending.test.json', 'what the features should be'],
  ['tests/orders.csv', 'rows for the test'],
  ['tsconfig.json', 'for your editor and npm run types'],
  ['README.md', 'what to do next'],
  ['.gitignore', 'what git leaves out', 'gitignore'],
];

const DAY = 86_400_000;

/**
 * The files of a new project of that name, from the package's folder `template/`: with this version of the package, and its runs beginning
 * four weeks before `now`, where its data begin.
 */
export async function projectFiles(name: string, now: Date): Promise<ProjectFile[]> {
  const manifest = createRequire(import.meta.url).resolve('granary/package.json');
  const template = join(dirname(manifest), 'template');
  const own = JSON.parse(await readFile(manifest, 'utf8')) as Manifest;
  const startDate = new Date(now.getTime() - 28 * DAY).toISOString().slice(0, 10);
  const files = await Promise.all(
    TEMPLATE.map(async ([path, about, from = path]) => ({
      path,
      about,
      content: await readFile(join(template, from), 'utf8'),
    })),
  );
  const filled = files.map((file) =>
    file.path === 'granary.ts'
      ? {
          ...file,
          content: replaced(file.content, {
            "name: 'shop'": `name: '${name}'`,
            "startDate: '2026-01-01'": `startDate: '${startDate}'`,
          }),
        }
      : file.path === 'README.md'
        ? { ...file, content: replaced(file.content, { '# shop': `# ${name}` }) }
        : file,
  );
  return [
    { path: 'package.json', about: 'the packages and the commands', content: manifestText(name, own) },
    ...filled,
  ];
}

function replaced(text: string, parts: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [from, to] of Object.entries(parts)) {
    if (!result.includes(from)) throw new Error(`the template lacks ${from}`);
    result = result.replace(from, () => to);
  }
  return result;
}

/** Temporal's packages are those that this version was built and tested with; all of them must be of one version. */
function manifestText(
  name: string,
  { version, engines, peerDependencies, devDependencies }: Manifest,
): string {
  const built = (packageName: string): string => `^${devDependencies[packageName] ?? ''}`;
  const manifest = {
    name: name.replaceAll('_', '-'),
    version: '0.0.0',
    private: true,
    type: 'module',
    engines,
    scripts: { dev: 'granary dev', test: 'granary test', types: 'tsc' },
    dependencies: {
      ...Object.fromEntries(Object.keys(peerDependencies).map((peer) => [peer, built(peer)])),
      granary: `^${version}`,
    },
    devDependencies: { '@types/node': built('@types/node'), typescript: built('typescript') },
    // Their install scripts, which npm runs only when they are allowed by name.
    allowScripts: { '@swc/core': true, esbuild: true, protobufjs: true },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}
