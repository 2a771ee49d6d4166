import { cpSync, mkdirSync } from 'node:fs';
import { basename } from 'node:path';
import { defaultClientConditions, defineConfig, type Plugin } from 'vite';
import { contentSecurityPolicy, serviceWorker } from './offline-plugin.ts';

const HERE = import.meta.dirname;
const LITERT = 'node_modules/@litertjs/core/wasm';
const ORT = 'node_modules/onnxruntime-web/dist';
/** LiteRT.js with relaxed SIMD, without it, and with threads; ONNX Runtime Web with WebGPU. */
const FILES = [
  ...['', '_compat', '_threaded'].map((variant) => `${LITERT}/litert_wasm${variant}_internal`),
  `${ORT}/ort-wasm-simd-threaded.asyncify`,
].flatMap((name) => [`${name}.${name.startsWith(ORT) ? 'mjs' : 'js'}`, `${name}.wasm`]);

/** Copies the runtime's WebAssembly beside the page, so that nothing comes from elsewhere. */
function copyWasm(): Plugin {
  return {
    name: 'copy-wasm',
    buildStart() {
      mkdirSync(`${HERE}/public/wasm`, { recursive: true });
      for (const file of FILES) cpSync(`${HERE}/${file}`, `${HERE}/public/wasm/${basename(file)}`);
    },
  };
}

export default defineConfig({
  root: HERE,
  base: './', // so that the page works from any folder of a host
  plugins: [
    copyWasm(),
    contentSecurityPolicy(),
    serviceWorker(`${HERE}/src/page/service-worker.js`, ['./astronaut.png']),
  ],
  // Without it, the build takes ONNX Runtime's 27 MB in a second time.
  resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
  // three.js is large, and comes with the puppet alone.
  build: { outDir: 'dist/page', target: 'es2022', chunkSizeWarningLimit: 700 },
  test: { include: ['tests/**/*.test.ts'], exclude: ['tests/browser/**'] },
});
