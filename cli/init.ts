import { basename, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { GranaryError } from '../definitions/errors.js';
import { checkName } from '../definitions/names.js';
import { projectFiles } from './init/project-files.js';
import { writeProject } from './init/write-project.js';

export function addInit(program: Command): void {
  program
    .command('init')
    .description('Makes a small project that works, in a new or empty folder: a pipeline, its data, a test.')
    .argument('[folder]', 'where; it is made where there is none', '.')
    .addHelpText('after', '\nExample:\n  granary init shop\n  cd shop && npm install && npm run dev')
    .action(async (folder: string) => {
      const target = resolve(folder);
      const name = projectName(target);
      const files = await projectFiles(name, new Date());
      await writeProject(target, files);
      const shown = relative('.', target);
      process.stdout.write(
        [
          `${name} is in ${target}:`,
          ...files.map(({ path, about }) => `  ${path.padEnd(30)} ${about}`),
          '',
          'Next:',
          ...(shown === '' ? [] : [`  cd ${/^[\w./-]+$/.test(shown) ? shown : JSON.stringify(shown)}`]),
          '  npm install',
          '  npm test         # the transformations on the rows in tests/, without any server',
          '  npm run dev      # Temporal, Postgres, Redis, a worker and the feature server, until Ctrl-C',
          '',
        ].join('\n'),
      );
    });
}

/** The project's name is the folder's, as far as it may be one. @throws GranaryError `InvalidInput`. */
function projectName(folder: string): string {
  const name = basename(folder)
    .replaceAll(/[^A-Za-z0-9_-]+/g, '_')
    .replaceAll(/__+/g, '_')
    .replaceAll(/^[^A-Za-z]+|_+$/g, '')
    .toLowerCase();
  try {
    checkName('project', name);
    return name;
  } catch (error) {
    throw new GranaryError(
      'InvalidInput',
      `The project is named as its folder, and "${basename(folder)}" makes no name of a project. Give the folder a name of letters and digits: granary init shop`,
      { cause: error },
    );
  }
}
