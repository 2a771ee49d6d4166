import { defineConfig } from 'vite';

/** The module as one file; the runtimes stay packages of their own. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: 'dist/lib',
    target: 'es2022',
    minify: false, // whoever uses it minifies
    lib: { entry: 'src/lib/index.ts', formats: ['es'], fileName: 'index' },
    rolldownOptions: { external: [/^@litertjs\//, /^onnxruntime-web/] },
  },
});
