/** The package, as another project gets it. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';

const WEB = new URL('..', import.meta.url).pathname;
const PROJECT = `${WEB}build/project`;
let files: string[];

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { cwd: PROJECT, encoding: 'utf8' });

beforeAll(() => {
  rmSync(PROJECT, { recursive: true, force: true });
  mkdirSync(`${PROJECT}/node_modules/amesh`, { recursive: true });
  const packed = JSON.parse(run('npm', 'pack', WEB, '--json', '--ignore-scripts')) as {
    filename: string;
    files: { path: string }[];
  }[];
  files = packed[0]!.files.map(({ path }) => path);
  run('tar', 'xf', packed[0]!.filename, '--strip-components=1', '-C', 'node_modules/amesh');
}, 60_000);

it('holds the module, its types, its licence and what to read, and no tests, networks or sources', () => {
  const tops = new Set(files.map((path) => path.split('/').slice(0, 2).join('/')));
  expect([...tops].sort()).toEqual(['README.md', 'dist/lib', 'package.json']);
  expect(files).toContain('dist/lib/index.js');
  expect(files).toContain('dist/lib/index.d.ts');
  expect(files).toContain('dist/lib/LICENSE');
  expect(files).toContain('dist/lib/NOTICE');
});

it('needs less than 7 MB before the first mesh', () => {
  const litert = 'node_modules/@litertjs/core';
  const loaded = [
    `${litert}/wasm/litert_wasm_internal.wasm`,
    `${litert}/wasm/litert_wasm_internal.js`,
    `${litert}/dist/index.js`,
    'dist/lib/index.js',
    'public/models/detector.tflite',
    'public/models/landmarks.tflite',
  ];
  const bytes = loaded.map((path) => gzipSync(readFileSync(`${WEB}${path}`)).length);
  expect(bytes.reduce((sum, one) => sum + one)).toBeLessThan(7e6);
});

it('builds the program of its README in another project', () => {
  const readme = readFileSync(`${WEB}README.md`, 'utf8');
  const [, program] = /```ts\n([\s\S]*?)```/.exec(readme)!;
  writeFileSync(`${PROJECT}/main.ts`, program!);
  writeFileSync(
    `${PROJECT}/index.html`,
    '<video></video><script type="module" src="main.ts"></script>',
  );
  const options = [
    '--ignoreConfig',
    '--strict',
    '--noEmit',
    '--module',
    'esnext',
    '--target',
    'es2022',
  ];
  run('npx', 'tsc', ...options, '--moduleResolution', 'bundler', '--types', '', 'main.ts');
  const built = run('npx', 'vite', 'build', '--target', 'es2022', '--logLevel', 'info');
  expect(built).toContain('index.html');
}, 60_000);
