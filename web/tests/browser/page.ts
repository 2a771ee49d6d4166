/** The built page: with its policy and its service worker. */

import { preview, type PreviewServer } from 'vite';
import type { BrowserContext, ConsoleMessage, Page } from 'playwright-core';

export const ROOM = { width: 1280, height: 800 };

export async function servePage(): Promise<PreviewServer & { url: string }> {
  const server = await preview({
    configFile: `${import.meta.dirname}/../../vite.config.ts`,
    preview: { port: 0 },
  });
  return Object.assign(server, { url: server.resolvedUrls!.local[0]! });
}

/** LiteRT.js writes its notes as errors. */
function complains(message: ConsoleMessage): boolean {
  return message.type() === 'error' && !/^(INFO|WARNING): /.test(message.text());
}

/** Opens the page; `complaints` gathers what the browser says of it. */
export async function openPage(
  context: BrowserContext,
  url: string,
): Promise<{ page: Page; complaints: string[] }> {
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => complains(message) && complaints.push(message.text()));
  await page.goto(url);
  return { page, complaints };
}

/** Waits until the status has this part. */
export async function says(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (part) => document.getElementById('status')!.textContent!.includes(part),
    text,
  );
}

/** Waits for a message with this part, and returns the whole. */
export async function warns(page: Page, text = ''): Promise<string> {
  await page.waitForFunction(
    (part) =>
      document.querySelector('#alert:not([hidden]) p')?.textContent!.includes(part) ?? false,
    text,
  );
  return (await page.textContent('#alert p'))!;
}

/** A file for an input: a black picture, in which nobody is. */
export async function blackPicture(
  page: Page,
): Promise<{ name: string; mimeType: string; buffer: Buffer }> {
  const bytes = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(320, 240);
    canvas.getContext('2d')!.fillRect(0, 0, 320, 240);
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
  });
  return { name: 'black.png', mimeType: 'image/png', buffer: Buffer.from(bytes) };
}
