import { copyFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

const HERE = import.meta.dirname;

/** Whoever gets the module gets its licence and its credits. */
function copyLicence(): Plugin {
  return {
    name: 'copy-licence',
    closeBundle() {
      for (const name of ['LICENSE', 'NOTICE'])
        copyFileSync(`${HERE}/../${name}`, `${HERE}/dist/lib/${name}`);
    },
  };
}

/** The module as one file; the runtimes stay packages of their own. */
export default defineConfig({
  publicDir: false,
  plugins: [copyLicence()],
  build: {
    outDir: 'dist/lib',
    target: 'es2022',
    minify: false, // whoever uses it minifies
    lib: { entry: 'src/lib/index.ts', formats: ['es'], fileName: 'index' },
    rolldownOptions: { external: [/^@litertjs\//, /^onnxruntime-web/] },
  },
});
