/** Debian's Chromium and a server for it. */

import { existsSync } from 'node:fs';
import type * as Core from '@litertjs/core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import type * as Amesh from '../../src/lib/index';
import type * as LitertModule from '../../src/lib/litert';
import type * as ModelsModule from '../../src/lib/models';
import type * as PictureModule from '../../src/lib/picture';
import type * as RegionModule from '../../src/lib/region';

declare global {
  // What module.html puts on its window.
  var amesh: typeof Amesh;
  var core: typeof Core;
  var litert: typeof LitertModule;
  var models: typeof ModelsModule;
  var picture: typeof PictureModule;
  var region: typeof RegionModule;
}

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

/** A page with the module on its window. */
export async function openModule(
  browser: Browser,
  { url }: { url: string },
  init?: () => void,
): Promise<Page> {
  const context = await browser.newContext({ permissions: ['camera'] });
  const page = await context.newPage();
  if (init) await page.addInitScript(init);
  await page.goto(`${url}tests/browser/module.html`);
  await page.waitForFunction(() => 'amesh' in window);
  return page;
}
