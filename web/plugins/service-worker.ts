// Writes the service worker with the list of what was built.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

/**
 * Writes `service-worker.js`: the worker's code after the constants that it needs.
 *
 * Networks are none of its files: the module keeps them, and checks them against their hashes.
 *
 * @param source The worker without these constants.
 */
export function serviceWorker(source: string): Plugin {
  let folder = '';
  return {
    name: 'service-worker',
    apply: 'build',
    configResolved: ({ publicDir }) => void (folder = publicDir),
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const hash = createHash('sha256');
        const code = readFileSync(source, 'utf8');
        hash.update(code);
        const built = Object.values(bundle).sort((a, b) => (a.fileName < b.fileName ? -1 : 1));
        for (const file of built) hash.update(file.type === 'chunk' ? file.code : file.source);
        const others = readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
          .filter((name) => !name.startsWith('models/'))
          .sort();
        for (const name of others) hash.update(readFileSync(`${folder}/${name}`));
        const entry = built.find((file) => file.type === 'chunk' && file.isEntry);
        const names = built.map(({ fileName }) => fileName).filter((name) => name !== 'index.html');
        const essential = names.filter((name) => name.startsWith('assets/'));
        const constants = {
          VERSION: hash.digest('hex').slice(0, 12),
          ENTRY: entry?.fileName,
          ESSENTIAL: essential,
          EXTRA: [...names.filter((name) => !essential.includes(name)), ...others],
        };
        const lines = Object.entries(constants).map(
          ([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`,
        );
        this.emitFile({
          type: 'asset',
          fileName: 'service-worker.js',
          source: lines.join('') + code,
        });
      },
    },
  };
}
