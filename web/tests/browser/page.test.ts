import { preview, type PreviewServer } from 'vite';
import type { Browser, BrowserContext, ConsoleMessage, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FACE } from '../../src/lib/effects/face-data';
import { PART } from '../../src/page/sample';
import { reference } from '../reference';
import { launch } from './browser';

const ROOM = { width: 1280, height: 800 };

let server: PreviewServer;
let url: string;
let browser: Browser;

beforeAll(async () => {
  // The built page: with its policy and its service worker.
  server = await preview({
    configFile: `${import.meta.dirname}/../../vite.config.ts`,
    preview: { port: 0 },
  });
  url = server.resolvedUrls!.local[0]!;
  browser = await launch('--use-fake-device-for-media-stream');
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** LiteRT.js writes its notes as errors. */
function complains(message: ConsoleMessage): boolean {
  return message.type() === 'error' && !/^(INFO|WARNING): /.test(message.text());
}

/** Opens the page; `complaints` gathers what the browser says of it. */
async function open(context: BrowserContext): Promise<{ page: Page; complaints: string[] }> {
  const page = await context.newPage();
  page.setDefaultTimeout(90_000); // the puppet's shaders without a GPU
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => complains(message) && complaints.push(message.text()));
  await page.goto(url);
  return { page, complaints };
}

const says = (page: Page, text: string): Promise<unknown> =>
  page.waitForFunction(
    (part) => document.getElementById('status')!.textContent!.includes(part),
    text,
  );

const warning = async (page: Page): Promise<string> => {
  await page.waitForSelector('#alert:not([hidden])');
  return (await page.textContent('#alert p'))!;
};

/** Where pixels of the view differ after an action, as a box in pixels of the portrait. */
async function changes(page: Page, action: () => Promise<void>): Promise<number[]> {
  const read = (): Promise<void> =>
    page.evaluate(() => {
      const view = document.getElementById('view') as HTMLCanvasElement;
      const now = view.getContext('2d')!.getImageData(0, 0, view.width, view.height);
      const shown = globalThis as { before?: ImageData; now?: ImageData };
      [shown.before, shown.now] = [shown.now!, now];
    });
  await read();
  await action();
  await read();
  return page.evaluate((part) => {
    const { before, now } = globalThis as unknown as { before: ImageData; now: ImageData };
    const style = getComputedStyle(document.getElementById('stage')!);
    const [left, top, width] = ['--left', '--top', '--width'].map((name) =>
      parseFloat(style.getPropertyValue(name)),
    ) as [number, number, number];
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < now.data.length; i++) {
      if (now.data[i] === before.data[i]) continue;
      const pixel = Math.floor(i / 4);
      const x = part.left + (((pixel % now.width) - left) * part.side) / width;
      const y = part.top + ((Math.floor(pixel / now.width) - top) * part.side) / width;
      box[0] = Math.min(box[0]!, x);
      box[1] = Math.min(box[1]!, y);
      box[2] = Math.max(box[2]!, x);
      box[3] = Math.max(box[3]!, y);
    }
    return box;
  }, PART);
}

/** The box of landmarks of the portrait. */
function boxOf(rows: readonly number[]): number[] {
  const xs = rows.map((row) => reference.landmarks.all[row]![0]);
  const ys = rows.map((row) => reference.landmarks.all[row]![1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

describe('the page on the portrait', () => {
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    context = await browser.newContext({ viewport: ROOM });
    ({ page, complaints } = await open(context));
    await says(page, '1 face');
  });
  afterAll(() => context.close());

  it('draws the mesh over the face, and keys take it away', async () => {
    await page.keyboard.press('i');
    const box = await changes(page, () => page.keyboard.press('m'));
    const face = boxOf(FACE.oval);
    box.forEach((value, i) => expect(Math.abs(value - face[i]!)).toBeLessThan(4));
    expect(await changes(page, () => page.keyboard.press('?'))).toContain(Infinity); // nothing
    await page.keyboard.press('Escape');
  });

  it('puts lipstick on the lips alone', async () => {
    const { upper, lower } = FACE.lips[0]!;
    const box = await changes(page, () => page.check('input[name=lipstick]'));
    const lips = boxOf([...upper, ...lower]);
    expect(box[0]).toBeGreaterThan(lips[0]! - 5);
    expect(box[1]).toBeGreaterThan(lips[1]! - 5);
    expect(box[2]).toBeLessThan(lips[2]! + 5);
    expect(box[3]).toBeLessThan(lips[3]! + 5);
    expect(box[2]! - box[0]!).toBeGreaterThan(0.8 * (lips[2]! - lips[0]!));
  });

  it('shows the original while it is held', async () => {
    await page.keyboard.down('o');
    expect(await page.isVisible('#original')).toBe(true);
    await page.keyboard.up('o');
    expect(await page.isVisible('#original')).toBe(false);
  });

  it('shows the puppet', async () => {
    await page.check('input[value=porcelain]', { force: true });
    // Its neck is bright where the portrait is black. Without a GPU, shaders take their time.
    await page.waitForFunction(
      () => {
        const view = document.getElementById('view') as HTMLCanvasElement;
        const at = [view.width / 2, 0.67 * view.height, 1, 1] as const;
        return view
          .getContext('2d')!
          .getImageData(...at)
          .data.every((value) => value > 150);
      },
      undefined,
      { timeout: 240_000 },
    );
    await page.check('input[value=off]', { force: true });
  }, 250_000);

  it.each([
    [
      'notes.txt',
      'text/plain',
      [...'hello'].map((letter) => letter.charCodeAt(0)),
      'not a picture',
    ],
    ['empty.png', 'image/png', [], 'is empty'],
    [
      'p.heic',
      'image/heic',
      [0, 0, 0, 24, ...[...'ftypheic'].map((l) => l.charCodeAt(0)), 0, 0],
      'HEIC',
    ],
    ['torn.jpg', 'image/jpeg', [0xff, 0xd8, 0xff], 'cannot be read'],
    [
      'huge.png',
      'image/png',
      [
        0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0x27, 0x10, 0, 0,
        0x27, 0x10,
      ],
      '100 megapixels',
    ],
  ])('says what is wrong with %s, and keeps the picture', async (name, mimeType, bytes, part) => {
    await page.setInputFiles('#picture-file', { name, mimeType, buffer: Buffer.from(bytes) });
    await page.waitForFunction(
      (text) => document.querySelector('#alert p')!.textContent!.includes(text),
      part,
    );
    expect(await warning(page)).toContain(name);
    expect(await page.isVisible('#empty')).toBe(false);
  });

  it('says that a video cannot be played', async () => {
    const file = { name: 'clip.mp4', mimeType: 'video/mp4', buffer: Buffer.from('hello') };
    await page.setInputFiles('#video-file', file);
    await page.waitForFunction(() =>
      document.querySelector('#alert p')!.textContent!.includes('clip.mp4 is no video'),
    );
  });

  it('says that a picture has no face', async () => {
    const svg = await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(320, 240);
      canvas.getContext('2d')!.fillRect(0, 0, 320, 240);
      return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
    });
    await page.setInputFiles('#picture-file', {
      name: 'black.png',
      mimeType: 'image/png',
      buffer: Buffer.from(svg),
    });
    await says(page, 'No face in the picture');
  });

  it('never makes the browser complain, nor breaks its policy', () => {
    expect(complaints).toEqual([]);
  });

  it('works without a connection, once loaded', async () => {
    // The worker keeps the runtime, which was loaded before it listened.
    const kept = (): Promise<boolean> =>
      page.evaluate(async () => {
        const names = (await caches.keys()).filter((name) => name.startsWith('amesh-page'));
        const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
        return all.flat().some(({ url }) => url.endsWith('.wasm'));
      });
    await expect.poll(kept, { timeout: 60_000, interval: 500 }).toBe(true);
    await context.setOffline(true);
    await page.reload();
    await says(page, '1 face');
  });
});

describe('the camera', () => {
  it('is refused in one line', async () => {
    const context = await browser.newContext({ viewport: ROOM });
    const { page } = await open(context);
    await page.click('#camera');
    expect(await warning(page)).toContain('camera is blocked');
    await context.close();
  });

  it('keeps its last frame when it is unplugged', async () => {
    const context = await browser.newContext({ viewport: ROOM, permissions: ['camera'] });
    await context.addInitScript(() => {
      const { mediaDevices } = navigator;
      const open = mediaDevices.getUserMedia.bind(mediaDevices);
      mediaDevices.getUserMedia = async (wanted) =>
        Object.assign(globalThis, { stream: await open(wanted) }).stream;
    });
    const { page } = await open(context);
    await says(page, '1 face');
    await page.click('#camera');
    await says(page, 'No face before the camera');
    await page.evaluate(() => {
      const { stream } = globalThis as unknown as { stream: MediaStream };
      stream.getVideoTracks()[0]!.dispatchEvent(new Event('ended'));
    });
    expect(await warning(page)).toContain('unplugged');
    expect(await page.getAttribute('#camera', 'aria-pressed')).toBe('false');
    expect(await page.isVisible('#empty')).toBe(false);
    await context.close();
  });

  it('is watched, and stops when another tab takes it', async () => {
    const context = await browser.newContext({ viewport: ROOM, permissions: ['camera'] });
    const { page } = await open(context);
    await says(page, '1 face');
    await page.click('#camera');
    await says(page, 'No face before the camera');
    await page.waitForFunction(() =>
      document.getElementById('rate')!.textContent!.includes('frames/s'),
    );
    await page.click('summary');
    await page.selectOption('#smoothing', 'off');
    await page.waitForSelector('#loading', { state: 'hidden' });
    await says(page, 'No face before the camera');
    const { page: other } = await open(context);
    await other.click('#camera');
    expect(await warning(page)).toContain('another tab');
    await context.close();
  });
});

describe('networks', () => {
  it('that are missing are named', async () => {
    const context = await browser.newContext({ viewport: ROOM, serviceWorkers: 'block' });
    await context.route('**/models/landmarks.tflite*', (route) => route.fulfill({ status: 404 }));
    const { page } = await open(context);
    const text = await warning(page);
    expect(text).toContain('landmarks.tflite');
    expect(text).toContain('404');
    await context.close();
  });
});
