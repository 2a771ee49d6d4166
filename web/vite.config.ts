import { cpSync, mkdirSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

const HERE = import.meta.dirname;
/** With relaxed SIMD, without it, and with threads. */
const VARIANTS = ['', '_compat', '_threaded'];

/** Copies the runtime's WebAssembly beside the page, so that nothing comes from elsewhere. */
function copyWasm(): Plugin {
  return {
    name: 'copy-wasm',
    buildStart() {
      const from = `${HERE}/node_modules/@litertjs/core/wasm`;
      mkdirSync(`${HERE}/public/wasm`, { recursive: true });
      for (const file of VARIANTS.flatMap((one) => [
        `litert_wasm${one}_internal.js`,
        `litert_wasm${one}_internal.wasm`,
      ])) {
        cpSync(`${from}/${file}`, `${HERE}/public/wasm/${file}`);
      }
    },
  };
}

export default defineConfig({
  root: HERE,
  base: './', // so that the page works from any folder of a host
  plugins: [copyWasm()],
  build: { outDir: 'dist/page', target: 'es2022' },
  test: { include: ['tests/**/*.test.ts'], exclude: ['tests/browser/**'] },
});
