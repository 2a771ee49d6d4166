/** Debian's Chromium and a server for it. */

import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';

/** Where Debian and others put it; CHROMIUM names another. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function executable(): string {
  const found = [process.env['CHROMIUM'], ...PLACES].find((path) => path && existsSync(path));
  if (!found)
    throw new Error('no Chromium here: apt-get install chromium, or name one in CHROMIUM');
  return found;
}

export function launch(...args: string[]): Promise<Browser> {
  return chromium.launch({ executablePath: executable(), args: ['--no-sandbox', ...args] });
}

/** Serves the sources, translated as they are asked for. */
export async function serve(
  headers: Record<string, string> = {},
): Promise<ViteDevServer & { url: string }> {
  const server = await createServer({
    configFile: `${import.meta.dirname}/../../vite.config.ts`,
    logLevel: 'warn',
    server: { port: 0, headers, hmr: false, watch: null },
  });
  await server.listen();
  return Object.assign(server, { url: server.resolvedUrls!.local[0]! });
}
