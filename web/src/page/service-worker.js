// Keeps the page for visits without a connection: one store for each build.
//
// The build writes four constants before this code: VERSION, a hash of all files; ENTRY, the script
// that the page of this build names; ESSENTIAL, what the page does not start without; EXTRA, what is
// kept once it was used, such as the runtime that suits this browser.
//
// Addresses of code and of the runtime change with their content. So this worker can wait until the
// last tab of the build before it is closed: the newest page needs nothing from an old store, and an
// old page finds all its parts in its own.
/* global VERSION, ENTRY, ESSENTIAL, EXTRA */

const STORE = 'amesh-page-';
const CACHE = STORE + VERSION;
const PAGE = self.registration.scope;
const address = (name) => new URL(name, PAGE).href;
const FILES = new Set([...ESSENTIAL, ...EXTRA].map(address));

self.addEventListener('install', (event) => event.waitUntil(install()));

async function install() {
  const page = await fetch(PAGE, { cache: 'reload' });
  // The server may have changed to the next build by now; its own worker will keep that one.
  if (!page.ok || !(await page.clone().text()).includes(ENTRY))
    throw new Error(`the page is not of build ${VERSION}`);
  const cache = await caches.open(CACHE);
  await cache.put(PAGE, page); // first: a store is that of the page that it has
  await Promise.all([cache.addAll(ESSENTIAL.map(address)), inherit(cache)]);
}

/** Stores of other builds of this page; the same page in other folders of the host has its own. */
async function others() {
  const names = (await caches.keys()).filter((name) => name.startsWith(STORE) && name !== CACHE);
  const ours = names.map(async (name) => Boolean(await caches.match(PAGE, { cacheName: name })));
  const kept = await Promise.all(ours);
  return names.filter((_, i) => kept[i]);
}

/** Keeps of this build what was used of those before, so that it, too, starts without a connection. */
async function inherit(cache) {
  const base = (url) => url.slice(url.lastIndexOf('/') + 1);
  const used = new Map();
  for (const name of await others()) {
    const old = await caches.open(name);
    for (const { url } of await old.keys()) used.set(base(url), [url, old]);
  }
  for (const url of EXTRA.map(address).filter((url) => used.has(base(url)))) {
    const [oldUrl, old] = used.get(base(url));
    const same = oldUrl === url && url.includes('/wasm/') && (await old.match(url));
    // The disk may be full: then it is loaded when it is used.
    await (same ? cache.put(url, same) : cache.add(url)).catch(() => undefined);
  }
}

self.addEventListener('activate', (event) => event.waitUntil(activate()));

async function activate() {
  await Promise.all((await others()).map((name) => caches.delete(name)));
  await self.clients.claim();
}

// The page tells what it loaded before this worker listened.
self.addEventListener('message', (event) => event.waitUntil(keep(event.data?.keep ?? [])));

async function keep(urls) {
  const cache = await caches.open(CACHE);
  for (const url of urls.filter((url) => FILES.has(url))) {
    if (!(await cache.match(url))) await cache.add(url).catch(() => undefined); // the disk may be full
  }
}

self.addEventListener('fetch', (event) => {
  const { method, url } = event.request;
  if (method !== 'GET') return;
  const [plain] = url.split(/[?#]/);
  if (plain === PAGE || plain === address('index.html')) event.respondWith(page(event.request));
  else if (FILES.has(plain)) event.respondWith(file(plain));
});

/** The newest page; without a connection, the one that is kept. */
async function page(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(PAGE, { cacheName: CACHE })) ?? Response.error();
  }
}

/** What is kept; otherwise from the server. */
async function file(url) {
  const cache = await caches.open(CACHE);
  const found = await cache.match(url);
  if (found) return found;
  const response = await fetch(url);
  if (response.status === 200) await cache.put(url, response.clone()).catch(() => undefined);
  return response;
}
