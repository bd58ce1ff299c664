import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** A TypeScript fence of a document. */
interface Fence {
  readonly document: string;
  /** Line of the document on which the code begins, from 1. */
  readonly line: number;
  readonly code: string;
}

const docs = (await readdir('docs')).filter((name) => name.endsWith('.md')).sort();
const documents = ['README.md', 'CONTRIBUTING.md', ...docs.map((name) => `docs/${name}`)];
let folder: string;
beforeAll(async () => {
  // Inside the repository, so that packages resolve; each document's fences side by side, so that they may import each other.
  await mkdir('.granary', { recursive: true });
  folder = await mkdtemp(resolve('.granary', 'docs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fencesOf(document: string): Promise<Fence[]> {
  const text = await readFile(document, 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ index, 1: code = '' }) => ({
    document,
    line: text.slice(0, index).split('\n').length + 1,
    code,
  }));
}

/** The name in a first line such as `// granary.ts`; other fences are known by their line. */
const fileName = ({ code, line }: Fence): string => /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? `line-${line}.ts`;

it('every TypeScript example of the documents compiles', async () => {
  const fences = new Map<string, Fence>();
  for (const document of documents) {
    const place = join(folder, basename(document, '.md'));
    await mkdir(place);
    for (const fence of await fencesOf(document)) {
      const file = join(place, fileName(fence));
      expect(fences.has(file), `${document} has two examples named ${fileName(fence)}`).toBe(false);
      // A file without imports is a module all the same: top-level await, names of its own.
      await writeFile(file, `${fence.code}export {};\n`);
      fences.set(file, fence);
    }
  }
  expect(fences.size).toBeGreaterThan(0);
  const config = ts.getParsedCommandLineOfConfigFile('tsconfig.test.json', undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
    },
  });
  const program = ts.createProgram([...fences.keys()], config?.options ?? {});
  const problems = [...fences].flatMap(([file, { document, line }]) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start = 0, messageText }) => {
        const at = line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
        return `${document}:${at}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      },
    );
  });
  expect(problems).toEqual([]);
});
