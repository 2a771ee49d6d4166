// The runtimes' WebAssembly beside the page, so that nothing comes from another host.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Plugin } from 'vite';

const MODULES = `${import.meta.dirname}/../node_modules`;
const LITERT = `${MODULES}/@litertjs/core/wasm/litert_wasm`;
const ORT = `${MODULES}/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify`;
/** LiteRT.js with relaxed SIMD, without it, and with threads; ONNX Runtime Web with WebGPU. */
const FILES = [
  ...['', '_compat', '_threaded'].flatMap((variant) =>
    ['js', 'wasm'].map((suffix) => `${LITERT}${variant}_internal.${suffix}`),
  ),
  `${ORT}.mjs`,
  `${ORT}.wasm`,
];

/**
 * Serves the files under `wasm/`, and builds them into a folder that is named after their content.
 *
 * The runtimes ask for fixed names. With the folder's name, an address has one content for ever: code
 * never meets the WebAssembly of another version, however long a browser keeps it. The page finds the
 * folder in `import.meta.env.WASM`.
 */
export function wasm(): Plugin {
  let folder = 'wasm';
  return {
    name: 'wasm',
    config(_, { command, isPreview }) {
      if (command === 'build' && !isPreview) {
        const hash = createHash('sha256');
        for (const file of FILES) hash.update(readFileSync(file));
        folder = `wasm/${hash.digest('hex').slice(0, 12)}`;
      }
      return { define: { 'import.meta.env.WASM': JSON.stringify(`./${folder}/`) } };
    },
    configureServer({ middlewares, config }) {
      middlewares.use('/wasm', (request, response, next) => {
        const name = basename(new URL(request.url ?? '', 'http://localhost').pathname);
        const file = FILES.find((path) => basename(path) === name);
        if (!file) return next();
        const type = name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
        response.setHeader('Content-Type', type);
        for (const [header, value] of Object.entries(config.server.headers ?? {}))
          response.setHeader(header, value!);
        response.end(readFileSync(file));
      });
    },
    generateBundle() {
      for (const file of FILES) {
        const fileName = `${folder}/${basename(file)}`;
        this.emitFile({ type: 'asset', fileName, source: readFileSync(file) });
      }
    },
  };
}
