import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { compile } from '../definitions/compile.js';
import { contractOf, contractText, headOf, isContract } from '../definitions/contract-file.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { readSecret } from '../providers/secrets.js';
import { loadProject } from './load-project.js';

export function addCompile(program: Command): void {
  program
    .command('compile')
    .description(
      'Writes the contract of a project: canonical JSON that granary apply takes in place of the TypeScript file. Secrets are references in it.',
    )
    .argument('[file]', 'the file that exports the project', 'granary.ts')
    .option('-o, --output <file>', 'where to write it (default: to the standard output)')
    .addHelpText(
      'after',
      '\nExample:\n  granary compile granary.ts -o granary.json && granary apply granary.json',
    )
    .action(async (file: string, { output }: { readonly output?: string }) => {
      const project = await loadProject(file);
      const contract = isContract(project)
        ? project
        : contractOf(compile(project, readSecret), headOf(project).environments);
      const text = contractText(contract);
      if (output === undefined) process.stdout.write(text);
      else
        await writeFile(output, text).catch((error: unknown) => {
          throw new GranaryError('InvalidInput', `${output} cannot be written: ${messageOf(error)}`);
        });
    });
}
