/** Pictures, videos and cameras on the page: what is slow, is taken away, or changes on the way. */

import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { PreviewServer } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launch } from './browser';
import { blackPicture, openPage, ROOM, says, servePage, warns } from './page';

/** What `playCamera` leaves on the window. */
interface Fake {
  canvas: HTMLCanvasElement;
  stream: MediaStream;
  /** Lets the camera start, if it waits. */
  start: () => void;
}

let server: PreviewServer & { url: string };
let browser: Browser;
let context: BrowserContext;

beforeAll(async () => {
  server = await servePage();
  browser = await launch('--use-fake-device-for-media-stream');
});
afterEach(() => context.close());
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

async function open(
  init?: () => void,
  options: BrowserContextOptions = { permissions: ['camera'] },
): Promise<Page> {
  context = await browser.newContext({ viewport: ROOM, ...options });
  if (init) await context.addInitScript(init);
  const { page } = await openPage(context, server.url);
  return page;
}

/** Replaces the camera by a canvas with the portrait, which moves a little. */
function playCamera(): void {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [640, 480];
  const fake = { canvas, start: () => undefined } as unknown as Fake;
  Object.assign(globalThis, { fake });
  navigator.mediaDevices.getUserMedia = async () => {
    const image = new Image();
    image.src = './astronaut.png';
    await image.decode();
    setInterval(() => {
      const x = (canvas.width - 512) / 2 + 4 * Math.sin(performance.now() / 300);
      canvas.getContext('2d')!.drawImage(image, x, 0);
    }, 33);
    if (location.hash === '#slow') await new Promise<void>((resolve) => (fake.start = resolve));
    return (fake.stream = canvas.captureStream(30));
  };
}

/** Waits until the view is described so. */
const sees = (page: Page, text: string): Promise<unknown> =>
  page.waitForSelector(`#view[aria-label="${text}"]`);

/** A second of the portrait as a WebM file. */
async function clip(page: Page): Promise<{ name: string; mimeType: string; buffer: Buffer }> {
  const bytes = await page.evaluate(async () => {
    const stream = await navigator.mediaDevices.getUserMedia();
    const recorder = new MediaRecorder(stream, { mimeType: 'video/webm;codecs=vp8' });
    const parts: Blob[] = [];
    recorder.ondataavailable = ({ data }) => void parts.push(data);
    const done = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    recorder.stop();
    await done;
    return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
  });
  return { name: 'clip.webm', mimeType: 'video/webm', buffer: Buffer.from(bytes) };
}

const shape = (page: Page): Promise<number> =>
  page.evaluate(() => {
    const style = getComputedStyle(document.getElementById('stage')!);
    const [width, height] = ['--width', '--height'].map((name) =>
      parseFloat(style.getPropertyValue(name)),
    ) as [number, number];
    return width / height;
  });

/** As in a hidden tab; Chromium without a window never hides one. */
const hide = (page: Page, hidden: boolean): Promise<void> =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);

const frameCounted = (page: Page): Promise<unknown> =>
  page.waitForFunction(() => document.getElementById('rate')!.textContent!.includes('frames/s'));

describe('what was chosen last is shown', () => {
  it('though the portrait comes later', async () => {
    let give = (): void => undefined;
    const held = new Promise<void>((resolve) => (give = resolve));
    context = await browser.newContext({ viewport: ROOM, serviceWorkers: 'block' });
    await context.route('**/astronaut.png', (route) => held.then(() => route.continue()));
    const { page } = await openPage(context, server.url);
    await page.setInputFiles('#picture-file', await blackPicture(page));
    await says(page, 'No face in the picture');
    const loaded = page.waitForResponse('**/astronaut.png');
    give();
    await (await loaded).finished();
    await page.waitForTimeout(300);
    expect(await page.textContent('#status')).toContain('No face');
  });

  it('though the camera starts later; its light goes out', async () => {
    const page = await open(playCamera);
    await page.evaluate(() => (location.hash = '#slow'));
    await says(page, '1 face');
    await page.click('#camera');
    await page.setInputFiles('#picture-file', await blackPicture(page));
    await says(page, 'No face in the picture');
    await page.evaluate(() => (globalThis as unknown as { fake: Fake }).fake.start());
    await page.waitForFunction(() => {
      const { stream } = (globalThis as unknown as { fake: Fake }).fake;
      return stream?.getVideoTracks()[0]!.readyState === 'ended';
    });
    expect(await page.getAttribute('#camera', 'aria-pressed')).toBe('false');
    expect(await page.textContent('#status')).toContain('No face in the picture');
  });
});

describe('the camera', () => {
  it.each([
    ['is refused', 'NotAllowedError', 'camera is blocked'],
    ['is missing', 'NotFoundError', 'No camera was found'],
    ['is in use', 'NotReadableError', 'in use by another program'],
  ])('that %s is said in one line, and the picture stays', async (_, name, part) => {
    const page = await open();
    await page.evaluate((name) => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('x', name));
    }, name);
    await says(page, '1 face');
    await page.click('#camera');
    expect(await warns(page)).toContain(part);
    expect(await page.textContent('#status')).toContain('1 face');
  });

  it('keeps its last frame when it is unplugged', async () => {
    const page = await open(playCamera);
    await page.click('#camera');
    await sees(page, '1 face before the camera');
    await page.evaluate(() => {
      const { stream } = (globalThis as unknown as { fake: Fake }).fake;
      stream.getVideoTracks()[0]!.dispatchEvent(new Event('ended'));
    });
    expect(await warns(page)).toContain('unplugged');
    expect(await page.getAttribute('#camera', 'aria-pressed')).toBe('false');
    expect(await page.isVisible('#empty')).toBe(false);
  });

  it('is followed when a phone is turned', async () => {
    const page = await open(playCamera);
    await page.click('#camera');
    await sees(page, '1 face before the camera');
    expect(await shape(page)).toBeCloseTo(640 / 480, 2);
    await page.evaluate(() => {
      const { canvas } = (globalThis as unknown as { fake: Fake }).fake;
      [canvas.width, canvas.height] = [480, 640];
    });
    await expect.poll(() => shape(page)).toBeCloseTo(480 / 640, 2);
    await sees(page, '1 face before the camera');
    expect(await page.isVisible('#alert')).toBe(false);
  });

  it('rests in a hidden tab, and goes on with the same face', async () => {
    const page = await open(playCamera);
    await page.click('#camera');
    await sees(page, '1 face before the camera');
    await frameCounted(page);
    await hide(page, true);
    await says(page, 'Paused');
    await page.waitForTimeout(700); // the table is written twice a second
    const before = await page.textContent('#parts');
    await page.waitForTimeout(1200);
    expect(await page.textContent('#parts')).toBe(before); // no frame was looked at
    await hide(page, false);
    await says(page, '1 face');
    await frameCounted(page);
    expect(await page.isVisible('#alert')).toBe(false);
  });

  it('is watched, and stops when another tab takes it', async () => {
    const page = await open();
    await says(page, '1 face');
    await page.click('#camera');
    await says(page, 'No face before the camera');
    await frameCounted(page);
    await page.click('summary');
    await page.selectOption('#smoothing', 'off');
    await page.waitForSelector('#loading', { state: 'hidden' });
    await says(page, 'No face before the camera');
    const { page: other } = await openPage(context, server.url);
    await other.click('#camera');
    expect(await warns(page)).toContain('another tab');
  });
});

describe('a video', () => {
  it('plays in a loop, waits in a hidden tab and goes on', async () => {
    const page = await open(playCamera);
    await sees(page, '1 face in the picture');
    await page.setInputFiles('#video-file', await clip(page));
    await sees(page, '1 face in the video');
    expect(await page.isVisible('#timeline')).toBe(true);
    await frameCounted(page);
    await page.waitForTimeout(2000); // longer than the clip
    expect(await page.isVisible('#alert')).toBe(false);

    await hide(page, true);
    await page.waitForSelector('#play[aria-label="Play"]');
    expect(await page.textContent('#status')).toContain('Paused');
    await page.waitForTimeout(1500);
    await hide(page, false);
    await page.waitForSelector('#play[aria-label="Pause"]');
    await sees(page, '1 face in the video');

    // One that the user paused stays so.
    await page.click('#play');
    await hide(page, true);
    await hide(page, false);
    await page.waitForTimeout(700);
    expect(await page.getAttribute('#play', 'aria-label')).toBe('Play');
  });
});

describe('networks', () => {
  const sidecar = new URL('../../public/models/landmarks.tflite.json', import.meta.url);
  const json = { ...(JSON.parse(readFileSync(sidecar, 'utf8')) as object), topology: 'mine' };
  it.each([
    ['missing', '', { status: 404 }, 'the server says 404'],
    ['cut short', '', { body: 'TFL3' }, 'is cut short'],
    ['of other landmarks', '.json', { json }, "landmarks of 'mine'"],
  ])('that are %s are named in one line', async (_, suffix, response, part) => {
    context = await browser.newContext({ viewport: ROOM, serviceWorkers: 'block' });
    await context.route(`**/models/landmarks.tflite${suffix}`, (route) => route.fulfill(response));
    const { page } = await openPage(context, server.url);
    const text = await warns(page, 'landmarks.tflite');
    expect(text).toContain(part);
    expect(text).not.toContain('http'); // the address as on this host
    expect(text).not.toContain('unexpected');
  });
});
