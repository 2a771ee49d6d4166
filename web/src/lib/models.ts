/** Loads networks: with progress, checked against their sidecars, and kept for the next visit. */

import { AmeshError, reason } from './errors';

/** What the module reads of the JSON file beside an exported network; `amesh export` writes it. */
export interface Sidecar {
  sha256: string;
  bytes: number;
  /** Of landmark networks: the name of their landmark scheme. */
  topology?: string;
  /** Of networks that see pictures. */
  inputs?: { image?: { shape: (number | null)[] } };
  /** Of files that leave the order of the landmarks to us: where their numbers are (478 x 3). */
  places?: number[];
}

/** A network's file, and what its sidecar says of it. */
export interface ModelFile {
  url: string;
  content: Uint8Array<ArrayBuffer>;
  sidecar: Sidecar;
}

/** Name of the store in which networks are kept. */
export const CACHE = 'amesh-models';

/** Told how many bytes of how many are there. */
export type Progress = (done: number, total: number) => void;

/**
 * Loads networks side by side.
 *
 * @param base Address of the folder that they lie in.
 * @param files Their names in it.
 * @throws AmeshError One is missing, damaged, or not written by `amesh export`.
 */
export async function loadModels(
  base: string,
  files: readonly string[],
  onProgress: Progress = () => undefined,
): Promise<ModelFile[]> {
  const folder = new URL(base.endsWith('/') ? base : `${base}/`, document.baseURI);
  const urls = files.map((file) => new URL(file, folder).href);
  const cache = await openCache();
  const described = await Promise.all(urls.map((url) => loadSidecar(url, cache)));
  const total = described.reduce((sum, { sidecar }) => sum + sidecar.bytes, 0);
  const done = urls.map(() => 0);
  return Promise.all(
    urls.map(async (url, i) => {
      const { sidecar } = described[i]!;
      const content = await loadContent(url, described[i]!, cache, (bytes) => {
        done[i] = bytes;
        onProgress(
          Math.min(
            total,
            done.reduce((sum, one) => sum + one, 0),
          ),
          total,
        );
      });
      return { url, content, sidecar };
    }),
  );
}

/** The store, where the browser has one and lets us use it. */
async function openCache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined; // not a secure context, or private browsing
  }
}

/** A sidecar, and the text that it was read from. */
interface Described {
  sidecar: Sidecar;
  text: string;
}

/** The newest sidecar; without a network, the one of the last visit. */
async function loadSidecar(url: string, cache: Cache | undefined): Promise<Described> {
  const address = `${url}.json`;
  try {
    const text = await (await get(address, { cache: 'no-cache' })).text();
    return { sidecar: parse(text, url), text };
  } catch (error) {
    const kept =
      error instanceof AmeshError && error.code === 'network' && (await cache?.match(address));
    if (!kept) throw error;
    const text = await kept.text();
    return { sidecar: parse(text, url), text };
  }
}

function parse(text: string, url: string): Sidecar {
  let sidecar: Partial<Sidecar> | null = null;
  try {
    sidecar = JSON.parse(text) as Partial<Sidecar> | null;
  } catch {
    // said below
  }
  const { sha256, bytes, places = [] } = sidecar ?? {};
  const index = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
  const whole = typeof sha256 === 'string' && index(bytes) && bytes !== 0;
  if (!(whole && Array.isArray(places) && places.every(index))) {
    throw new AmeshError('model', `${url}.json is not a file that \`amesh export\` wrote`);
  }
  return sidecar as Sidecar;
}

async function loadContent(
  url: string,
  { sidecar, text }: Described,
  cache: Cache | undefined,
  onBytes: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const keepSidecar = async (): Promise<void> => cache?.put(`${url}.json`, new Response(text));
  const kept = await cache?.match(url);
  if (kept) {
    const content = new Uint8Array(await kept.arrayBuffer());
    if (await matches(content, sidecar)) {
      onBytes(content.length);
      await keepSidecar().catch(() => undefined);
      return content;
    }
  }
  const response = await get(url);
  const content = await read(response, url, sidecar.bytes, onBytes);
  if (!(await matches(content, sidecar))) {
    throw new AmeshError(
      'model',
      `${url} is damaged, or its .json is of another version: load both again`,
    );
  }
  try {
    // Both, and only now: until a new version is there, the one that is kept works offline.
    await cache?.put(url, new Response(content));
    await keepSidecar();
  } catch {
    // The disk may be full.
  }
  return content;
}

async function get(url: string, options?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw new AmeshError('network', `${url} cannot be loaded: ${reason(error)}`);
  }
  if (!response.ok) {
    throw new AmeshError('model', `${url} cannot be loaded: the server says ${response.status}`);
  }
  return response;
}

async function read(
  response: Response,
  url: string,
  bytes: number,
  onBytes: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(bytes);
  let done = 0;
  try {
    for (const reader = response.body!.getReader(); ;) {
      const part = await reader.read();
      if (part.done) break;
      if (done + part.value.length > bytes) {
        await reader.cancel();
        throw new AmeshError('model', `${url} is longer than its .json says: load both again`);
      }
      content.set(part.value, done);
      done += part.value.length;
      onBytes(done);
    }
  } catch (error) {
    if (error instanceof AmeshError) throw error;
    throw new AmeshError('network', `${url} broke off: ${reason(error)}`);
  }
  if (done < bytes) {
    throw new AmeshError('model', `${url} is cut short: ${done} of ${bytes} bytes`);
  }
  return content;
}

/** Whether a file is the one that its sidecar describes; browsers hash in secure contexts only. */
async function matches(content: Uint8Array<ArrayBuffer>, sidecar: Sidecar): Promise<boolean> {
  if (content.length !== sidecar.bytes) return false;
  if (!globalThis.crypto?.subtle) return true;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('') === sidecar.sha256;
}
