// What the page needs besides its code: a strict Content-Security-Policy and the service worker.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

// 'wasm-unsafe-eval' compiles WebAssembly; it allows no JavaScript from strings. `blob:` workers are
// the runtime's threads, `blob:` pictures and videos what the user chooses.
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob: mediastream:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Adds the policy to the built page; the development server needs inline styles. */
export function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}

/**
 * Writes the service worker with the names of what was built.
 *
 * @param source The worker without its list.
 * @param extra Other files that the page shows at once, relative to it.
 */
export function serviceWorker(source: string, extra: readonly string[] = []): Plugin {
  return {
    name: 'service-worker',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const hash = createHash('sha256');
        const code = readFileSync(source, 'utf8');
        hash.update(code);
        for (const file of Object.values(bundle))
          hash.update(file.type === 'chunk' ? file.code : file.source);
        const files = [
          './',
          ...Object.keys(bundle)
            .filter((name) => name !== 'index.html')
            .map((name) => `./${name}`),
          ...extra,
        ];
        const version = hash.digest('hex').slice(0, 12);
        const list = `const VERSION = '${version}';\nconst FILES = ${JSON.stringify(files)};\n`;
        this.emitFile({ type: 'asset', fileName: 'service-worker.js', source: list + code });
      },
    },
  };
}
