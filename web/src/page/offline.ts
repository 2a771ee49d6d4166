/// <reference types="vite/client" />
// The service worker, which keeps the page for visits without a connection.

/** Registers it, and hands it what the page has loaded by now, such as the runtime. */
export async function keepOffline(): Promise<void> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register(new URL('./service-worker.js', document.baseURI));
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
    active?.postMessage({
      keep: loaded.filter((url) => url.startsWith(new URL('./', document.baseURI).href)),
    });
  } catch {
    // Private windows may refuse; the page works, but only with a connection.
  }
}
