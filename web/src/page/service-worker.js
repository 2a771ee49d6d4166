// Keeps the page for visits without a connection. The build writes VERSION and FILES before it.
/* global VERSION, FILES */

const CACHE = `amesh-page-${VERSION}`;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  const old = (name) => name.startsWith('amesh-page-') && name !== CACHE;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

// The page tells what it loaded before this worker listened.
self.addEventListener('message', (event) => {
  const keep = event.data?.keep ?? [];
  event.waitUntil(
    caches.open(CACHE).then(async (cache) => {
      for (const url of keep.filter(kept)) {
        if (!(await cache.match(url))) await cache.add(url).catch(() => undefined);
      }
    }),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !kept(request.url)) return;
  event.respondWith(request.mode === 'navigate' ? page(request) : file(request));
});

/** Networks are kept by the module, which checks them against their hashes. */
function kept(url) {
  return url.startsWith(self.registration.scope) && !new URL(url).pathname.includes('/models/');
}

/** The newest page; without a connection, the one that is kept. */
async function page(request) {
  try {
    return await fetch(request);
  } catch {
    const cache = await caches.open(CACHE);
    return (await cache.match('./')) ?? (await cache.match('./index.html')) ?? Response.error();
  }
}

/** What is kept, because names of files change with their content; otherwise from the server. */
async function file(request) {
  const cache = await caches.open(CACHE);
  const found = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  if (found) return found;
  const response = await fetch(request);
  if (response.ok && response.status === 200)
    await cache.put(request, response.clone()).catch(() => undefined);
  return response;
}
