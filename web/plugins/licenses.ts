// LICENSES.txt: whoever gets the page gets the licences of all that is in it.

import { existsSync, readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const ROOT = `${import.meta.dirname}/../..`;
/** Texts of packages that carry none. */
const TEXTS = `${import.meta.dirname}/../licenses`;
/** Vite's list of what is in the code, for `build.license`. */
export const LIST = 'licenses.json';

interface Entry {
  name: string;
  version: string;
  identifier?: string;
  text?: string;
}

const NETWORKS = `models/detector.tflite is the short-range face detector of MediaPipe 0.10.21 (Copyright The
MediaPipe Authors, Apache License 2.0), converted by amesh. NOTICE, below, says what the other
networks were made from.`;

/** Writes the licences of amesh and of the packages in its code. */
export function licenses(): Plugin {
  return {
    name: 'licenses',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const list = bundle[LIST];
        if (list?.type !== 'asset') return this.error('set build.license to the name of the list');
        delete bundle[LIST];
        const packages = (JSON.parse(String(list.source)) as Entry[]).map((entry) => {
          const { name, version, identifier = '' } = entry;
          const text = entry.text ?? textOf(name, identifier);
          if (!text) this.error(`${name} has no text of its licence: put it into web/licenses`);
          return part(`${name} ${version} (${identifier})`, text);
        });
        const source = [
          part('amesh (Apache-2.0)', NETWORKS),
          part('NOTICE', readFileSync(`${ROOT}/NOTICE`, 'utf8')),
          ...packages,
          part('Apache License 2.0', readFileSync(`${ROOT}/LICENSE`, 'utf8')),
        ].join('\n');
        this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source });
      },
    },
  };
}

function textOf(name: string, identifier: string): string {
  const file = `${TEXTS}/${name.replaceAll('/', '-')}.txt`;
  if (existsSync(file)) return readFileSync(file, 'utf8');
  return identifier === 'Apache-2.0' ? 'Apache License 2.0, at the end of this file.' : '';
}

function part(title: string, text: string): string {
  return `${title}\n${'='.repeat(title.length)}\n\n${text.trim()}\n\n`;
}
