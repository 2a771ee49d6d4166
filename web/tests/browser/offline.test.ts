/** The service worker: visits without a connection, and from one build to the next. */

import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { launch } from './browser';
import { openPage, ROOM, says } from './page';

const BUILT = join(import.meta.dirname, '../../dist/page');
const ENTRY = /assets\/index-[\w-]+\.js/;
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** What the host has instead of the build's files; null for what it has no more. */
let instead: Record<string, string | null>;
let server: Server;
let url: string;
let browser: Browser;
let context: BrowserContext;

beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://x');
    const name = pathname.replace(/^\/elsewhere/, '').replace(/\/$/, '/index.html');
    const other = instead[name];
    const path = join(BUILT, name);
    if (other === null || (other === undefined && !statSync(path, { throwIfNoEntry: false }))) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(name)] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type }).end(other ?? readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  url = `http://localhost:${(server.address() as AddressInfo).port}/`;
  browser = await launch();
});
beforeEach(async () => {
  instead = {};
  context = await browser.newContext({ viewport: ROOM });
});
afterEach(() => context.close());
afterAll(async () => {
  await browser?.close();
  server?.close();
});

/** The addresses of each store of the page. */
function kept(page: Page): Promise<Record<string, string[]>> {
  return page.evaluate(async () => {
    const names = (await caches.keys()).filter((name) => name.startsWith('amesh-page'));
    const lists = names.map(async (name) => {
      const requests = await (await caches.open(name)).keys();
      return [name, requests.map(({ url }) => url)] as const;
    });
    return Object.fromEntries(await Promise.all(lists));
  });
}

/** Waits until the worker has the runtime, which was loaded before it listened. */
const keepsRuntime = (page: Page): Promise<void> =>
  expect
    .poll(async () => Object.values(await kept(page)).flat(), { timeout: 60_000, interval: 500 })
    .toContainEqual(expect.stringMatching(/\.wasm$/));

/** Waits until the worker of a folder is ready. (`waitForFunction` takes any promise for a yes.) */
const hasWorker = (page: Page, role: 'waiting' | 'active', folder: string): Promise<void> =>
  expect
    .poll(
      () =>
        page.evaluate(async (role) => {
          const registration = await navigator.serviceWorker.getRegistration();
          return [registration?.scope, registration?.[role]?.state];
        }, role),
      { timeout: 20_000 },
    )
    .toEqual([folder, role === 'waiting' ? 'installed' : 'activated']);

it('shows the page without a connection, once loaded', async () => {
  const { page } = await openPage(context, url);
  await says(page, '1 face');
  await keepsRuntime(page);
  await context.setOffline(true);
  await page.reload();
  await says(page, '1 face');
});

it('does without a portrait', async () => {
  instead['/astronaut.png'] = null;
  const { page } = await openPage(context, url);
  await says(page, 'Choose a picture');
  await keepsRuntime(page);
  await context.setOffline(true);
  await page.reload();
  await says(page, 'Choose a picture');
});

it('keeps one build whole until its last tab is closed, then the next', async () => {
  const { page } = await openPage(context, url);
  await says(page, '1 face');
  await keepsRuntime(page);
  const before = await kept(page);
  const [first] = Object.keys(before);

  // The next build: other code at another address; the host drops what it had.
  const index = readFileSync(join(BUILT, 'index.html'), 'utf8');
  const worker = readFileSync(join(BUILT, 'service-worker.js'), 'utf8');
  const entry = ENTRY.exec(index)![0];
  const puppet = /assets\/puppet-[\w-]+\.js/.exec(worker)![0];
  instead = {
    '/index.html': index.replaceAll(entry, 'assets/index-next.js'),
    '/assets/index-next.js': 'document.title = "next";',
    '/assets/puppet-next.js': '',
    '/service-worker.js': worker
      .replaceAll(entry, 'assets/index-next.js')
      .replaceAll(puppet, 'assets/puppet-next.js')
      .replace(/VERSION = "\w+"/, 'VERSION = "next"'),
    [`/${entry}`]: null,
    [`/${puppet}`]: null,
  };

  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())!.update());
  await hasWorker(page, 'waiting', url);
  expect((await kept(page))[first!]).toEqual(before[first!]);
  // The open page still has its own parts.
  const length = await page.evaluate(
    async (name) => (await (await fetch(`./${name}`)).text()).length,
    puppet,
  );
  expect(length).toBeGreaterThan(100_000);

  // A new tab shows the newest page; without a connection, the one that is kept whole.
  const other = await context.newPage();
  await other.goto(url);
  await other.waitForFunction(() => document.title === 'next');
  await context.setOffline(true);
  await other.reload();
  await says(other, '1 face');
  await context.setOffline(false);

  await page.close();
  await other.close();
  const later = await context.newPage();
  await later.goto(url);
  await expect
    .poll(async () => Object.keys(await kept(later)), { timeout: 20_000 })
    .toEqual(['amesh-page-next']);
  await context.setOffline(true);
  await later.reload();
  await later.waitForFunction(() => document.title === 'next');
});

it('starts the next build without a connection, though it has only run beside the one before', async () => {
  const { page } = await openPage(context, url);
  await says(page, '1 face');
  await keepsRuntime(page);
  const worker = readFileSync(join(BUILT, 'service-worker.js'), 'utf8');
  instead['/service-worker.js'] = worker.replace(/VERSION = "\w+"/, 'VERSION = "next"');
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())!.update());
  await hasWorker(page, 'waiting', url);
  const later = await context.newPage();
  await page.close();
  await later.waitForTimeout(1000); // the next worker takes over
  // Nothing comes from the browser's own cache, which need not have it.
  await (await context.newCDPSession(later)).send('Network.clearBrowserCache');
  await context.setOffline(true);
  await later.goto(url);
  await says(later, '1 face');
  expect(Object.keys(await kept(later))).toEqual(['amesh-page-next']);
});

it('leaves what another folder of the host keeps', async () => {
  const { page } = await openPage(context, url);
  await says(page, '1 face');
  await keepsRuntime(page);
  const before = await kept(page);
  const worker = readFileSync(join(BUILT, 'service-worker.js'), 'utf8');
  instead['/service-worker.js'] = worker.replace(/VERSION = "\w+"/, 'VERSION = "elsewhere"');
  const { page: other } = await openPage(context, `${url}elsewhere/`);
  await says(other, '1 face');
  await hasWorker(other, 'active', `${url}elsewhere/`);
  const after = await kept(page);
  expect(Object.keys(after)).toContain('amesh-page-elsewhere');
  expect(after).toMatchObject(before);
});

it('keeps nothing of a build that the server has no more', async () => {
  const page = await context.newPage();
  const index = readFileSync(join(BUILT, 'index.html'), 'utf8');
  // Between two uploads: the worker is the old one, the page is not.
  instead['/index.html'] = index.replace(ENTRY, 'assets/index-next.js');
  instead['/assets/index-next.js'] = 'document.title = "next";';
  await page.goto(url);
  const state = await page.evaluate(async () => {
    const { installing } = await navigator.serviceWorker.register('./service-worker.js');
    return new Promise((resolve) =>
      installing!.addEventListener('statechange', () => resolve(installing!.state)),
    );
  });
  expect(state).toBe('redundant');
});
