import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const typescript = ['**/*.ts'];

/** What runs in Temporal's sandbox, or must be able to, reaches for nothing outside of it. */
const impure = {
  regex:
    '^(node:|(pg|kysely|ioredis|apache-arrow|@temporalio/(activity|client|worker))($|/)|@aws-sdk/|@duckdb/)',
  message:
    'This room is pure: no Node module, no database, no Temporal but @temporalio/workflow and /common.',
};
const builtins = {
  regex:
    '^(assert|buffer|child_process|crypto|events|fs|http|https|net|os|path|process|stream|timers|url|util|zlib)($|/)',
  message: 'This room is pure; elsewhere write node:... .',
};

/** @param {object[]} patterns */
const restrictImports = (patterns) => ({
  '@typescript-eslint/no-restricted-imports': ['error', { patterns }],
});

export default defineConfig(
  globalIgnores(['lib/', '.granary/', 'coverage/', 'test/histories/', 'feast/registry_pb.ts']),

  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    name: 'scripts, without type information',
    files: ['**/*.{mjs,cjs}'],
    rules: {
      eqeqeq: 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },

  {
    name: 'TypeScript, with type information',
    files: typescript,
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: 'error',
      'no-restricted-exports': [
        'error',
        {
          restrictDefaultExports: {
            direct: true,
            named: true,
            defaultFrom: true,
            namedFrom: true,
            namespaceFrom: true,
          },
        },
      ],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error', // `import { type X }` would stay as an import
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off', // its repair takes away the narrowing of an assignment
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/require-await': 'off', // interfaces ask for promises that some of their makers do not need
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },

  {
    name: 'definitions: pure, and next to nothing from outside',
    files: ['definitions/**/*.ts'],
    rules: restrictImports([
      {
        regex: '^(?!\\.{1,2}/|cron-parser$|@noble/hashes/)',
        message: 'definitions/ imports nothing but cron-parser and @noble/hashes, both pure.',
      },
    ]),
  },
  {
    name: 'feast: pure',
    files: ['feast/**/*.ts'],
    rules: restrictImports([impure, builtins]),
  },
  {
    name: 'workflows: what the sandbox runs',
    files: ['workflows/**/*.ts'],
    rules: restrictImports([
      impure,
      builtins,
      {
        regex: '^\\.\\./activities/',
        allowTypeImports: true,
        message: 'Workflows know activities by their types only: import type.',
      },
    ]),
  },

  {
    name: 'tests: matchers and parsed reports are any, and helpers are taken out of their objects',
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    name: 'where a default export is what the reader of the file expects',
    files: ['*.config.ts', 'examples/**/*.ts', 'template/**/*.ts', 'test/**/fixtures/**/*.ts'],
    rules: { 'no-restricted-exports': 'off' },
  },
);
