import { defineConfig } from 'oxlint'
import { zones } from './scripts/import-rules.ts'

const MAX_LINES = 500
const MAX_TEST_LINES = 800

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc', 'node', 'promise'],
  categories: { correctness: 'error' },
  env: { node: true, es2024: true },
  ignorePatterns: ['dist', 'web'],
  rules: {
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'typescript/no-floating-promises': [
      'error',
      {
        // node:test awaits what its functions return.
        allowForKnownSafeCalls: [
          { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
        ],
      },
    ],
    'typescript/no-misused-promises': 'error',
    'typescript/no-explicit-any': 'error',
    // Our interfaces are written with methods and implemented by closures.
    'typescript/unbound-method': 'off',
    // Style, and not ours: neither DESIGN nor prettier asks for it.
    'unicorn/no-useless-spread': 'off',
    'promise/no-callback-in-promise': 'off',
    'typescript/restrict-template-expressions': 'off',
    'typescript/no-base-to-string': 'off',
    // Columns are allocated at their length, and NUL is what some checks look for.
    'unicorn/no-new-array': 'off',
    'no-control-regex': 'off',
    'max-lines': ['error', { max: MAX_LINES }],
    'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    'max-params': ['error', { max: 3 }],
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'no-console': 'error',
  },
  overrides: [
    ...zones.map(({ files, restrictions }) => ({
      files: [...files],
      rules: { 'no-restricted-imports': ['error', { patterns: [...restrictions] }] },
    })),
    {
      files: ['**/*.test.ts', '**/*.contract.ts', 'test/**/*.ts'],
      rules: {
        'max-lines': ['error', { max: MAX_TEST_LINES }],
        // A suite is a function around its tests.
        'max-lines-per-function': 'off',
        // Numbers that lose their last digits are what some tests send.
        'no-loss-of-precision': 'off',
      },
    },
    {
      files: ['src/cli/**', 'scripts/**', 'bench/**', 'bin/**', 'test/**'],
      rules: { 'no-console': 'off' },
    },
    { files: ['*.config.ts'], rules: { 'import/no-default-export': 'off' } },
  ],
})
