import { defaultClientConditions, defineConfig } from 'vite';
import { LIST, licenses } from './plugins/licenses.ts';
import { contentSecurityPolicy } from './plugins/policy.ts';
import { serviceWorker } from './plugins/service-worker.ts';
import { wasm } from './plugins/wasm.ts';

const HERE = import.meta.dirname;

export default defineConfig({
  root: HERE,
  base: './', // so that the page works from any folder of a host
  plugins: [
    wasm(),
    contentSecurityPolicy(),
    licenses(),
    serviceWorker(`${HERE}/src/page/service-worker.js`), // after all others, whose files it lists
  ],
  // Without it, the build takes ONNX Runtime's 27 MB in a second time.
  resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
  build: {
    outDir: 'dist/page',
    target: 'es2022',
    license: { fileName: LIST },
    chunkSizeWarningLimit: 700, // three.js is large, and comes with the puppet alone
  },
  test: { include: ['tests/**/*.test.ts'], exclude: ['tests/browser/**'] },
});
